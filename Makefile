# Everything that one types here. `make help` lists it.
.DEFAULT_GOAL := help

# The gateway of `make test-kong`. Upstream's own Kong override runs this line.
KONG_IMAGE ?= kong/kong:3.9.3

GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# local is the program that prepares a machine and runs the platform on it without containers of its own.
LOCAL := go run ./compose/local

.PHONY: help
help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## Install what is missing, and run the platform on this machine until Ctrl-C
	@$(LOCAL) run

.PHONY: test
test: lint ## Install what is missing, and run every test that can run here, with the race detector
	$(LOCAL) with go test -race -timeout 30m ./...
	@$(MAKE) --no-print-directory test-kong

.PHONY: lint
lint: ## Check the code's form
	go run $(GOLANGCI_LINT) run ./...

# What `docker compose` runs. DOCKER says how the provisioner reaches Docker: socket, or proxy.
DOCKER ?= socket
COMPOSE = docker compose --env-file compose/.env -f compose/platform.yml -f compose/gateway.yml -f compose/docker-$(DOCKER).yml \
	$(if $(MONITORING),-f compose/monitoring.yml) \
	$(foreach profile,$(PROFILES),--profile $(profile))

.PHONY: env
env: ## Make compose/.env with secrets of its own, or complete it (EMAIL=you@domain URL=https://host)
	@go run ./compose/setup env -file compose/.env $(if $(EMAIL),-email "$(EMAIL)") $(if $(URL),-url "$(URL)")

.PHONY: images
images: ## Build the images of the gateway and of the provisioner
	@mkdir -p .run/images/kong .run/images/provisioner/backups
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o .run/images/kong/ ./plugins/... ./kong/kong-render
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o .run/images/provisioner/ ./provisioner ./provisioner/plurabase ./compose/setup
	install -m 755 kong/entrypoint.sh .run/images/kong/ && install -m 644 kong/*.yml .run/images/kong/
	docker build -q -t plurabase/kong --build-arg KONG_IMAGE=$(KONG_IMAGE) -f kong/Dockerfile .run/images/kong
	docker build -q -t plurabase/provisioner -f provisioner/Dockerfile .run/images/provisioner

.PHONY: studio
studio: ## Build the image of Studio in platform mode
	compose/studio/build.sh

.PHONY: up
up: env images ## Run the platform in containers (PROFILES=mail DOCKER=proxy MONITORING=1)
	@docker image inspect plurabase/studio >/dev/null 2>&1 || compose/studio/build.sh
	$(COMPOSE) up --detach --wait

.PHONY: down
down: ## End the platform's containers; projects go on, and nothing is lost
	$(COMPOSE) down

.PHONY: logs
logs: ## Follow the platform's logs
	$(COMPOSE) logs --follow --tail 100

.PHONY: test-up
test-up: ## Run the whole platform with real images, and go through Studio with a browser, where both can be had
	@KONG_IMAGE=$(KONG_IMAGE) compose/browser/test-up.sh

.PHONY: backup
backup: ## Write the platform's own state into FILE; its master key belongs elsewhere
	@compose/backup.sh $(FILE)

# On real Docker a creation takes seconds, so that once is enough; -v says why it was skipped where there is no Docker.
.PHONY: bench
bench: ## Measure: parts with their allocations, projects' creation, then whole plugins against one that only answers
	$(LOCAL) with go test -run '^$$' -bench . -benchmem ./plugins/... ./store/... ./provisioner/internal/...
	$(LOCAL) with go test -run '^$$' -bench . -benchtime 1x -v ./provisioner
	$(LOCAL) with go run ./kong/bench

.PHONY: soak
soak: ## Ten minutes of load; fails where memory, goroutines or open files grow
	$(LOCAL) with go run ./kong/bench -soak 10m

.PHONY: docs
docs: ## Write the documents that are made from the code
	go run ./plugins/platform-api -reference > docs/api.md
	go test -count=1 -run '^TestTheClientsTableIsCurrent$$' ./compose/local/platform -update

.PHONY: proof
proof: proof-story proof-matrix proof-contract proof-render ## Run every proof

.PHONY: proof-story
proof-story: ## From a signed-in user to a project's own database and back to nothing, on real parts
	@$(LOCAL) with go test -count=1 -timeout 15m -run '^TestStory$$' ./compose/local/platform -v

.PHONY: proof-matrix
proof-matrix: ## Every route, asked by everybody: what Studio hides, the server refuses
	@$(LOCAL) with go test -count=1 -run '^TestMatrix$$' ./plugins/internal/api -v

.PHONY: proof-contract
proof-contract: ## Every route's answers, held against upstream's contract where that is at hand
	@$(LOCAL) with go test -count=1 -run '^TestContract$$' ./plugins/internal/api -v

.PHONY: proof-render
proof-render: ## Kong's configuration, made of files of both generations, of bad ones, and of files drawn at random
	@go test -count=1 ./kong/render -v -proof

proof: proof-contract-states proof-crash proof-routing

.PHONY: proof-contract-states
proof-contract-states: ## Every row of the lifecycle's table, on the engine in memory
	@$(LOCAL) with go test -count=1 -run '^TestStates$$' ./provisioner/internal/reconcile -v

.PHONY: proof-crash
proof-crash: ## The provisioner killed after every step of every operation, on real Docker
	@$(LOCAL) with env PLURABASE_PROOF=all go test -count=1 -timeout 60m -parallel 6 -run '^TestCrash$$' ./provisioner -v

.PHONY: proof-routing
proof-routing: ## Where requests to projects go: every path, key and state, and what is made to lead elsewhere
	@$(LOCAL) with go test -count=1 -run '^TestRouting$$' ./kong -v

proof: proof-clients

.PHONY: proof-clients
proof-clients: ## The official management client, as npm has it, over the gateway: every method of docs/clients.md
	@$(LOCAL) with go test -count=1 -timeout 15m -run '^TestClients$$' ./compose/local/platform -v

.PHONY: test-kong
test-kong: ## Run the plugins' tests in a real Kong (KONG_IMAGE), where its image can be had
	$(LOCAL) with env KONG_IMAGE=$(KONG_IMAGE) go test -count=1 -v ./kong

FUZZTIME ?= 10s

.PHONY: fuzz
fuzz: ## Fuzz each parser, for FUZZTIME
	@for package in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
		for target in $$(grep -ho '^func Fuzz[A-Za-z]*' $$package/*_test.go | cut -c6-); do \
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x $$package || exit 1; \
		done; \
	done

package api

import (
	"net/http"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// onDemand is a route that the first request to it prepares: to make the schemas of all of them takes longer than the rest of
// the plugin's start, and most are never asked in a process' life. It is huma's adapter for an API of this one route.
type onDemand struct {
	declare func(huma.API)

	once      sync.Once
	operation *huma.Operation
	handler   func(huma.Context)
}

// Handle takes what huma makes of the declaration.
func (e *onDemand) Handle(operation *huma.Operation, handler func(huma.Context)) {
	e.operation, e.handler = operation, handler
}

func (e *onDemand) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.once.Do(func() { e.declare(huma.NewAPI(humaConfig(), e)) })
	e.handler(humago.NewContext(e.operation, r, w))
}

// onPaper is an adapter for an API that is only described.
type onPaper struct{}

func (onPaper) Handle(*huma.Operation, func(huma.Context)) {}

func (onPaper) ServeHTTP(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }

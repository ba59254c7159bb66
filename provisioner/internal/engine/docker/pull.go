package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/docker/docker/api/types/image"

	"github.com/plurabase/plurabase/provisioner/internal/engine"
)

// PullImage implements engine.Engine.
func (e *Engine) PullImage(ctx context.Context, name string, progress func(engine.Progress)) error {
	messages, err := e.client.ImagePull(ctx, name, image.PullOptions{})
	if err != nil {
		return translatePull(err)
	}
	defer func() { _ = messages.Close() }()
	decoder, seen := json.NewDecoder(messages), layers{}
	for {
		var message pullMessage
		if err := decoder.Decode(&message); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return errors.Join(ctx.Err(), fmt.Errorf("read the progress of the pull: %w", err))
		}
		if message.Error != "" {
			return translatePull(errors.New(message.Error))
		}
		if seen.note(message) {
			progress(seen.progress())
		}
	}
}

// pullMessage is one of those that the daemon sends during a pull.
type pullMessage struct {
	ID       string `json:"id"` // of a layer
	Status   string `json:"status"`
	Progress struct {
		Current int64 `json:"current"`
		Total   int64 `json:"total"`
	} `json:"progressDetail"`
	Error string `json:"error"`
}

// layers are an image's, by their ids, as far as the daemon has told of them.
type layers map[string]layer

// layer has two halves: its bytes are downloaded, then unpacked.
type layer struct {
	size, downloaded, unpacked int64
	done                       bool
}

// note takes a message of the daemon's in, and tells whether it says anything of a layer. The words are moby's
// (distribution/pull_v2.go, distribution/xfer/download.go).
func (l layers) note(message pullMessage) bool {
	one := l[message.ID]
	if message.Progress.Total > 0 {
		one.size = message.Progress.Total
	}
	switch message.Status {
	case "Pulling fs layer", "Waiting", "Retrying":
	case "Downloading":
		one.downloaded = message.Progress.Current
	case "Verifying Checksum", "Download complete":
		one.downloaded = one.size
	case "Extracting":
		one.downloaded, one.unpacked = one.size, message.Progress.Current
	case "Pull complete", "Already exists":
		one.downloaded, one.unpacked, one.done = one.size, one.size, true
	default: // of the image, not of a layer
		return false
	}
	l[message.ID] = one
	return true
}

// progress weighs layers by their bytes; one whose size is not known yet, as an average one.
func (l layers) progress() engine.Progress {
	var sum layer
	done, sized := 0, 0
	for _, one := range l {
		sum.size, sum.downloaded, sum.unpacked = sum.size+one.size, sum.downloaded+one.downloaded, sum.unpacked+one.unpacked
		if one.size > 0 {
			sized++
		}
		if one.done {
			done++
		}
	}
	told := engine.Progress{Detail: fmt.Sprintf("%d of %d layers", done, len(l))}
	if sized == 0 {
		told.Percent = 100 * done / len(l)
		return told
	}
	const mega = 1e6
	told.Detail += fmt.Sprintf(", %.1f of %.1f MB", float64(sum.downloaded)/mega, float64(sum.size)/mega)
	there := 0 // layers that were there already, and so have no size
	for _, one := range l {
		if one.done && one.size == 0 {
			there++
		}
	}
	share := float64(sum.downloaded+sum.unpacked) / float64(2*sum.size) * float64(sized) / float64(len(l)-there)
	told.Percent = min(100, int(100*share))
	return told
}

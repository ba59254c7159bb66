package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/plurabase/plurabase/store"
)

// hold keeps a claim's lease alive. The context that it returns ends, with the reason as its cause, as soon as the
// lease is lost or something newer is wanted of the project; release stops the heartbeat.
func (r *Reconciler) hold(ctx context.Context, claim *store.Claim, log *slog.Logger) (held context.Context, release func()) {
	held, end := context.WithCancelCause(ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		r.keepAlive(held, end, claim, log)
	}()
	return held, func() {
		end(nil)
		<-stopped
	}
}

func (r *Reconciler) keepAlive(held context.Context, end context.CancelCauseFunc, claim *store.Claim, log *slog.Logger) {
	// Counted from before the question is sent, the lease seems to end here a little before it does for Postgres.
	expires := time.Now().Add(r.Settings.Lease)
	for {
		select {
		case <-held.Done():
			return
		case <-time.After(min(r.Settings.Heartbeat, time.Until(expires))):
		case <-r.work.wait(): // perhaps something newer is wanted of this project
		}
		asked := time.Now()
		ctx, cancel := context.WithDeadline(held, expires)
		err := claim.Heartbeat(ctx)
		cancel()
		switch {
		case err == nil:
			expires = asked.Add(r.Settings.Lease)
		case errors.Is(err, store.ErrSuperseded), errors.Is(err, store.ErrLeaseLost):
			end(err)
			return
		case held.Err() != nil:
			return
		case !time.Now().Before(expires):
			end(store.ErrLeaseLost)
			return
		default:
			log.Warn("could not renew the lease", "error", err)
		}
	}
}

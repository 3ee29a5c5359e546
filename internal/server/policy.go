package server

import (
	"context"

	"github.com/liuma-pin/liuma/internal/directory"
	"github.com/liuma-pin/liuma/internal/edition"
	"github.com/liuma-pin/liuma/internal/policy"
	"github.com/liuma-pin/liuma/internal/proposal"
)

// openPolicy reads the policy that was approved last or, before the first approval, the
// files of the configuration.
func (d *Data) openPolicy(ctx context.Context, o Options) (*edition.Editions, error) {
	national := policy.National()
	if o.Policy != nil {
		national = *o.Policy
	}
	national.AllowStandInEvidence = d.Config.AllowStandIn
	two, err := proposal.New(proposal.Config{Store: d.Store, Now: d.Clock.Now})
	if err != nil {
		return nil, err
	}
	c := edition.Config{Store: d.Store, Proposals: two, Now: d.Clock.Now, National: national, Logger: o.Logger,
		Regions: func() (*directory.Regions, error) { return Regions(d.Config) }}
	if dir := d.Config.Policy; dir != "" {
		c.Files = func() ([]policy.File, error) { return policy.ReadDirectory(dir) }
	}
	return edition.Open(ctx, c)
}

// tellPolicy logs which policy runs and, if the configuration names policy files that
// are not used, that they are not.
func (s *System) tellPolicy(ctx context.Context) {
	log := s.options.Logger
	state, err := s.Policy.State(ctx)
	if err != nil {
		log.WarnContext(ctx, "it is not known which policy runs", "err", err)
		return
	}
	log.InfoContext(ctx, "policy", "edition", state.Edition, "policy", state.Sum, "layers", len(state.Layers))
	switch {
	case state.FilesFault != "":
		log.WarnContext(ctx, "the files of the policy are not read, and do not count: the approved edition runs", "edition", state.Edition, "err", state.FilesFault)
	case state.FilesDiffer:
		log.WarnContext(ctx, "the files of the policy are not what runs: the approved edition goes before them; 'liuma policy propose' brings them", "edition", state.Edition)
	}
}

package postgres

import (
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/liuma-pin/liuma/internal/store"
)

var _ store.Pooled = (*Store)(nil)

// Pools implements store.Pooled.
func (s *Store) Pools() (out []store.Pool) {
	for _, p := range []struct {
		name string
		pool *pgxpool.Pool
	}{{"readers", s.readers}, {"writers", s.writers}} {
		st := p.pool.Stat()
		out = append(out, store.Pool{Name: p.name, Open: int(st.TotalConns()), InUse: int(st.AcquiredConns()), Most: int(st.MaxConns()),
			Waited: st.EmptyAcquireCount(), WaitedFor: st.EmptyAcquireWaitTime()})
	}
	return out
}

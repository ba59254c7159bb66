package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// takenFor is how long something that was found taken by somebody else on a target's host is left alone.
const takenFor = time.Hour

// ExhaustedError says that a target has nothing left to hand out. Its text is written for the operator.
type ExhaustedError struct{ Message string }

func (e *ExhaustedError) Error() string { return e.Message }

// SubnetPool is what a target's networks are cut from: subnets with Bits bits of prefix, from Pool (IPv4).
type SubnetPool struct {
	Pool netip.Prefix
	Bits int
}

// PortRange is what a target's host ports are taken from, both ends included.
type PortRange struct{ First, Last uint16 }

// Subnet returns the project's subnet, and takes the lowest free one when it has none. Those in avoid, and those that
// overlap them, are left alone.
func (c *Claim) Subnet(ctx context.Context, pool SubnetPool, avoid []netip.Prefix) (subnet netip.Prefix, err error) {
	err = c.allocate(ctx, "allocate a subnet", func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `select subnet from platform.project_subnets where project_id = $1`, c.Project.ID).Scan(&subnet)
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		rows, _ := tx.Query(ctx, `
			select subnet from platform.project_subnets where target = $1
			union all
			select subnet from platform.target_taken where target = $1 and subnet is not null`, c.Project.Target)
		used, err := pgx.CollectRows(rows, pgx.RowTo[netip.Prefix])
		if err != nil {
			return err
		}
		if subnet, err = freeSubnet(pool, append(used, avoid...)); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `insert into platform.project_subnets (target, subnet, project_id) values ($1, $2, $3)`,
			c.Project.Target, subnet, c.Project.ID)
		return err
	})
	return subnet, err
}

// freeSubnet returns the lowest subnet of pool that overlaps nothing in used.
func freeSubnet(pool SubnetPool, used []netip.Prefix) (netip.Prefix, error) {
	first := pool.Pool.Masked().Addr().As4()
	base := uint64(binary.BigEndian.Uint32(first[:]))
	end := base + 1<<(32-pool.Pool.Bits())
	for ; base < end; base += 1 << (32 - pool.Bits) {
		candidate := netip.PrefixFrom(netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(base)))), pool.Bits) //nolint:gosec // base lies within an IPv4 prefix
		if !slices.ContainsFunc(used, candidate.Overlaps) {
			return candidate, nil
		}
	}
	return netip.Prefix{}, &ExhaustedError{fmt.Sprintf("no /%d subnet is free in %s: widen PLURABASE_SUBNET_POOL.", pool.Bits, pool.Pool)}
}

// Port returns the host port of one of the project's services, and takes the lowest free one when it has none.
func (c *Claim) Port(ctx context.Context, service string, ports PortRange) (port uint16, err error) {
	err = c.allocate(ctx, "allocate a port", func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `select port from platform.project_ports where project_id = $1 and service = $2`,
			c.Project.ID, service).Scan(&port)
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		err = tx.QueryRow(ctx, `
			insert into platform.project_ports (target, port, project_id, service)
			select $1, free.port, $2, $3 from generate_series($4::integer, $5::integer) as free (port)
			where not exists (select from platform.project_ports p where p.target = $1 and p.port = free.port)
				and not exists (select from platform.target_taken t where t.target = $1 and t.port = free.port)
			order by free.port limit 1
			returning port`,
			c.Project.Target, c.Project.ID, service, int32(ports.First), int32(ports.Last)).Scan(&port)
		if errors.Is(err, pgx.ErrNoRows) {
			return &ExhaustedError{fmt.Sprintf("no port is free between %d and %d: widen PLURABASE_PORT_RANGE.", ports.First, ports.Last)}
		}
		return err
	})
	return port, err
}

// LeavePorts gives the project's ports back because somebody else on the host uses one of them; the next call of Port
// takes others.
func (c *Claim) LeavePorts(ctx context.Context) error {
	return c.allocate(ctx, "leave a taken port", func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			with left_alone as (delete from platform.project_ports where project_id = $1 returning target, port)
			insert into platform.target_taken (target, port, seen_at) select target, port, $2 from left_alone`,
			c.Project.ID, c.store.now())
		return err
	})
}

// LeaveSubnet gives the project's subnet back because somebody else on the host uses it; the next call of Subnet takes
// another.
func (c *Claim) LeaveSubnet(ctx context.Context) error {
	return c.allocate(ctx, "leave a taken subnet", func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			with left_alone as (delete from platform.project_subnets where project_id = $1 returning target, subnet)
			insert into platform.target_taken (target, subnet, seen_at) select target, subnet, $2 from left_alone`,
			c.Project.ID, c.store.now())
		return err
	})
}

// allocate is write for what a target's projects share: one at a time for each target.
func (c *Claim) allocate(ctx context.Context, doing string, do func(pgx.Tx) error) error {
	return c.write(ctx, doing, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtextextended('plurabase target ' || $1, 0))`, c.Project.Target)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `delete from platform.target_taken where target = $1 and seen_at <= $2`,
			c.Project.Target, c.store.now().Add(-takenFor))
		if err != nil {
			return err
		}
		return do(tx)
	})
}

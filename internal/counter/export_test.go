package counter

import "github.com/liuma-pin/liuma"

// Sampled says whether a ticket is drawn for review.
func (c *Counter) Sampled(id liuma.TicketID) bool { return c.sampled(id) }

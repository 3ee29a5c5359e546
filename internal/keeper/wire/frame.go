package wire

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// frame is one request, answer or fault.
type frame struct {
	id   uint64
	kind kind
	body []byte
}

const frameHead = 4 + 8 + 1 // length, number, type

// writeFrame writes a frame to a buffer.
func writeFrame(w *bufio.Writer, f frame) error {
	n := len(f.body) + frameHead - 4
	if n > maxFrame {
		return fmt.Errorf("%w: %d bytes", ErrFrame, n)
	}
	var head [frameHead]byte
	binary.BigEndian.PutUint32(head[:], uint32(n)) //nolint:gosec // bounded above
	binary.BigEndian.PutUint64(head[4:], f.id)
	head[12] = byte(f.kind)
	if _, err := w.Write(head[:]); err != nil {
		return err
	}
	_, err := w.Write(f.body)
	return err
}

// readFrame reads a frame. A length beyond the bound is refused before anything is
// allocated for it.
func readFrame(r *bufio.Reader) (frame, error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n < frameHead-4 || n > maxFrame {
		return frame{}, fmt.Errorf("%w: length %d", ErrFrame, n)
	}
	f := frame{id: binary.BigEndian.Uint64(head[4:]), kind: kind(head[12]), body: make([]byte, n-(frameHead-4))}
	if _, err := io.ReadFull(r, f.body); err != nil {
		return frame{}, err
	}
	return f, nil
}

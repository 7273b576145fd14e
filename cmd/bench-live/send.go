//go:build linux && (amd64 || arm64)

package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batch is the number of packets that one system call sends.
const batch = 64

// longest is the longest frame that is sent, in bytes: the MTU of the veth pair and an Ethernet header.
const longest = 9014

// sent is the sender's result.
type sent struct {
	Packets int
	Seconds float64
}

// message is the kernel's struct mmsghdr.
type message struct {
	head unix.Msghdr
	sent uint32
	_    [4]byte
}

// send replays a capture at rate packets per second for length or until the capture ends. It never starts over, because
// known flows cost the listener less than new ones.
func send(ctx context.Context, name, file string, rate int, length time.Duration, stdout io.Writer) error {
	frames, err := framesOf(file)
	if err != nil {
		return err
	}
	fd, err := openSender(name)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	messages, vectors := make([]message, batch), make([]unix.Iovec, batch)
	for i := range messages {
		messages[i].head.Iov = &vectors[i]
		messages[i].head.SetIovlen(1)
	}
	s, begun := sent{}, time.Now()
	for ctx.Err() == nil && time.Since(begun) < length && s.Packets+batch <= len(frames) {
		for i := range vectors {
			frame := frames[s.Packets+i]
			vectors[i].Base = &frame[0]
			vectors[i].SetLen(len(frame))
		}
		n, err := sendBatch(fd, messages)
		if err != nil {
			return err
		}
		s.Packets += n
		for rate > 0 && time.Since(begun) < time.Duration(float64(s.Packets)/float64(rate)*float64(time.Second)) {
		}
	}
	s.Seconds = time.Since(begun).Seconds()
	return json.NewEncoder(stdout).Encode(s)
}

func openSender(name string) (int, error) {
	face, err := net.InterfaceByName(name)
	if err != nil {
		return 0, fmt.Errorf("interface %s: %w", name, err)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("open packet socket: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1); err != nil {
		return 0, fmt.Errorf("bypass the queue: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: face.Index}); err != nil {
		return 0, fmt.Errorf("bind to %s: %w", name, err)
	}
	return fd, nil
}

// sendBatch sends all messages. It tries again while the queue is full.
func sendBatch(fd int, messages []message) (int, error) {
	for done := 0; done < len(messages); {
		rest := messages[done:]
		n, _, code := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&rest[0])), uintptr(len(rest)), 0, 0, 0)
		switch code {
		case 0:
			done += int(n)
		case unix.ENOBUFS, unix.EAGAIN, unix.EINTR:
		default:
			return done, fmt.Errorf("send: %w", code)
		}
	}
	return len(messages), nil
}

// framesOf returns the frames of a classic little-endian pcap file that can be sent.
func framesOf(name string) ([][]byte, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	const header, record = 24, 16
	magics := []uint32{0xa1b2c3d4, 0xa1b23c4d} // times in microseconds, in nanoseconds
	if len(b) < header || !slices.Contains(magics, binary.LittleEndian.Uint32(b)) {
		return nil, fmt.Errorf("%s: not a classic little-endian pcap file", name)
	}
	var frames [][]byte
	for b = b[header:]; len(b) >= record; {
		n := int(binary.LittleEndian.Uint32(b[8:]))
		if n > len(b)-record {
			break
		}
		if n >= 14 && n <= longest {
			frames = append(frames, b[record:record+n:record+n])
		}
		b = b[record+n:]
	}
	if len(frames) == 0 {
		return nil, errors.New(name + ": no frame that can be sent")
	}
	return frames, nil
}

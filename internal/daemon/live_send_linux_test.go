//go:build amd64 || arm64

package daemon

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"avbeacon/capture"
	"avbeacon/capture/files"
)

const (
	sendBatch    = 64   // packets that one system call sends
	longestFrame = 9014 // bytes: the MTU of the veth pair and an Ethernet header
)

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

// replay sends a capture's frames at rate packets per second (0: as fast as it can) for length, or until the capture ends. It never
// starts over, because known flows cost the listener less than new ones.
func replay(name, file string, rate int, length time.Duration) (s sent, err error) {
	frames, err := framesOf(file)
	if err != nil {
		return s, err
	}
	face, err := net.InterfaceByName(name)
	if err != nil {
		return s, err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return s, err
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1); err != nil {
		return s, err
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: face.Index}); err != nil {
		return s, err
	}
	messages, vectors := make([]message, sendBatch), make([]unix.Iovec, sendBatch)
	for i := range messages {
		messages[i].head.Iov = &vectors[i]
		messages[i].head.SetIovlen(1)
	}
	begun := time.Now()
	for time.Since(begun) < length && s.Packets+sendBatch <= len(frames) {
		for i := range vectors {
			frame := frames[s.Packets+i]
			vectors[i].Base = &frame[0]
			vectors[i].SetLen(len(frame))
		}
		for done := 0; done < sendBatch; { // again while the queue is full
			rest := messages[done:]
			n, _, code := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&rest[0])), uintptr(len(rest)), 0, 0, 0)
			switch code {
			case 0:
				done += int(n)
			case unix.ENOBUFS, unix.EAGAIN, unix.EINTR:
			default:
				return s, code
			}
		}
		s.Packets += sendBatch
		for rate > 0 && time.Since(begun) < time.Duration(float64(s.Packets)/float64(rate)*float64(time.Second)) {
		}
	}
	s.Seconds = time.Since(begun).Seconds()
	return s, nil
}

// framesOf returns the frames of a capture that can be sent.
func framesOf(name string) (frames [][]byte, err error) {
	source := files.Open([]string{name}, files.Options{})
	defer source.Close()
	for b := (capture.Block{}); ; b.Done() {
		if err := source.Next(context.Background(), &b); errors.Is(err, io.EOF) {
			return frames, source.Inputs()[0].Err
		} else if err != nil {
			return nil, err
		}
		for _, p := range b.Packets {
			if len(p.Data) >= 14 && len(p.Data) <= longestFrame {
				frames = append(frames, slices.Clone(p.Data))
			}
		}
	}
}

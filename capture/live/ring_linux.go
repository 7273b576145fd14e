package live

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ring is a packet socket with a TPACKET_V3 ring (Documentation/networking/packet_mmap.rst): blocks of memory that the
// kernel fills one after the other and that are given back one by one, in any order.
type ring struct {
	fd       int
	mem      []byte
	size     int // of a block
	at       int // index of the block that is read next
	releases []func()
}

// Offsets in a block's descriptor (struct tpacket_block_desc in linux/if_packet.h).
const (
	blockStatus  = 8
	blockPackets = 12
	blockFirst   = 16
	blockHead    = 48 // bytes of the descriptor
)

// openRing makes a socket that gets no packets yet. cooked: without link headers, for links whose headers vary.
func openRing(opt *Options, cooked bool) (*ring, error) {
	filter, err := opt.Filter.limited(uint32(opt.SnapLen))
	if err != nil {
		return nil, err
	}
	kind := unix.SOCK_RAW
	if cooked {
		kind = unix.SOCK_DGRAM
	}
	fd, err := unix.Socket(unix.AF_PACKET, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open packet socket: %w", err)
	}
	r := &ring{fd: fd, size: opt.BlockSize}
	if err = r.attach(filter); err == nil {
		err = r.allocate(opt.RingSize/opt.BlockSize, opt.BlockTimeout)
	}
	if err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// allocate maps the ring's memory.
func (r *ring) allocate(blocks int, timeout time.Duration) error {
	// With it the time is that of the packet's arrival, the same for all listeners, not that of its copy into this ring. (For
	// what TCP sends to this machine through a veth pair the kernel has no such time, and uses the other.)
	if err := unix.SetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		return fmt.Errorf("ask for times of arrival: %w", err)
	}
	if err := unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3); err != nil {
		return fmt.Errorf("ask for TPACKET_V3: %w", err)
	}
	const frame = 2048 // has no meaning in version 3, but must fit
	request := unix.TpacketReq3{
		Block_size: uint32(r.size), Block_nr: uint32(blocks), Frame_size: frame, Frame_nr: uint32(r.size / frame * blocks),
		Retire_blk_tov: uint32(timeout.Milliseconds()),
	}
	if err := unix.SetsockoptTpacketReq3(r.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &request); err != nil {
		return fmt.Errorf("make a ring of %d blocks of %d bytes: %w", blocks, r.size, err)
	}
	mem, err := unix.Mmap(r.fd, 0, r.size*blocks, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return fmt.Errorf("map the ring: %w", err)
	}
	r.mem = mem
	for i := range blocks {
		status := r.status(i)
		r.releases = append(r.releases, func() { atomic.StoreUint32(status, unix.TP_STATUS_KERNEL) })
	}
	return nil
}

func (r *ring) status(block int) *uint32 {
	return (*uint32)(unsafe.Pointer(&r.mem[block*r.size+blockStatus]))
}

// attach makes the kernel run a filter from now on.
func (r *ring) attach(f Filter) error {
	if len(f) == 0 {
		return nil
	}
	program := make([]unix.SockFilter, len(f))
	for i, in := range f {
		program[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	fprog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if err := unix.SetsockoptSockFprog(r.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &fprog); err != nil {
		return fmt.Errorf("attach the filter: %w", err)
	}
	return nil
}

// bind lets packets of an interface in. A socket can be bound again when its interface has come back. That needs no
// privilege, unlike a new socket.
func (r *ring) bind(index int, promiscuous bool) error {
	all := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL)) // in network order
	address := unix.SockaddrLinklayer{Protocol: all, Ifindex: index}
	if err := unix.Bind(r.fd, &address); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if !promiscuous {
		return nil
	}
	member := unix.PacketMreq{Ifindex: int32(index), Type: unix.PACKET_MR_PROMISC}
	if err := unix.SetsockoptPacketMreq(r.fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &member); err != nil {
		return fmt.Errorf("make promiscuous: %w", err)
	}
	return nil
}

// ready reports whether the next block can be read.
func (r *ring) ready() bool {
	return atomic.LoadUint32(r.status(r.at))&unix.TP_STATUS_USER != 0
}

// take returns the block that is ready, and the function that gives it back to the kernel.
func (r *ring) take() (block []byte, release func()) {
	block, release = r.mem[r.at*r.size:(r.at+1)*r.size:(r.at+1)*r.size], r.releases[r.at]
	r.at = (r.at + 1) % len(r.releases)
	return block, release
}

// failure returns the socket's error since the last call, and clears it.
func (r *ring) failure() error {
	code, err := unix.GetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return err
	}
	if code == 0 {
		return nil
	}
	return unix.Errno(code)
}

// counts returns what the kernel counted since the last call: packets lost, and how often the ring was full.
func (r *ring) counts() (drops, freezes uint64) {
	c, err := unix.GetsockoptTpacketStatsV3(r.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return 0, 0
	}
	return uint64(c.Drops), uint64(c.Freeze_q_cnt)
}

func (r *ring) close() {
	if r.mem != nil {
		_ = unix.Munmap(r.mem) // it is ours
		r.mem = nil
	}
	_ = unix.Close(r.fd) // nothing was written
}

// ringPacket is one packet record in a block (struct tpacket3_hdr and the struct sockaddr_ll after it).
type ringPacket struct {
	data      []byte
	time      int64
	orig      uint32
	vlan      uint16
	hasVLAN   bool
	direction uint8 // PACKET_HOST, PACKET_OUTGOING ...
}

const (
	recordHead      = unix.SizeofTpacket3Hdr
	recordDirection = recordHead + 10 // sll_pkttype
	recordRoom      = recordHead + unix.SizeofSockaddrLinklayer
)

// packetsIn returns the number of packets in a block and the offset of the first.
func packetsIn(block []byte) (n, first int) {
	return int(binary.NativeEndian.Uint32(block[blockPackets:])), int(binary.NativeEndian.Uint32(block[blockFirst:]))
}

// readRecord reads the record at offset at and returns the offset of the next. ok is false if the record is not within the
// block, which no kernel writes.
func readRecord(block []byte, at int, p *ringPacket) (next int, ok bool) {
	if at < blockHead || at > len(block)-recordRoom {
		return 0, false
	}
	b, order := block[at:], binary.NativeEndian
	from, size := int(order.Uint16(b[24:])), int(order.Uint32(b[12:]))
	if from < recordRoom || size > len(b) || from > len(b)-size {
		return 0, false
	}
	status := order.Uint32(b[20:])
	p.data = b[from : from+size : from+size]
	p.time = int64(order.Uint32(b[4:]))*1e9 + int64(order.Uint32(b[8:]))
	p.orig = order.Uint32(b[16:])
	p.hasVLAN = status&unix.TP_STATUS_VLAN_VALID != 0
	p.vlan = uint16(order.Uint32(b[32:]))
	p.direction = b[recordDirection]
	return at + int(order.Uint32(b)), true
}

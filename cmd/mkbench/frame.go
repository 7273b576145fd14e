package main

import (
	"encoding/binary"
	"math/bits"
	"time"
)

// TCP flags.
const (
	fin = 1 << iota
	syn
	rst
	psh
	ack
)

const (
	protocolTCP = 6
	protocolUDP = 17
)

const tagged = 0x8100 // 802.1Q

// emit writes one packet: TCP with the flags, or UDP where there are none.
func (g *generator) emit(f *flow, from int, flags byte, payload []byte) {
	b := f.ethernet(g.frame[:0], from)
	protocol, options := byte(protocolUDP), []byte(nil)
	header := 8
	if flags != 0 {
		protocol, options = protocolTCP, f.tcpOptions(from, flags)
		header = 20 + len(options)
	}
	b, sum := f.network(b, from, protocol, header+len(payload))
	if flags != 0 {
		b = f.tcp(b, from, flags, options, payload, sum)
	} else {
		b = f.udp(b, from, payload, sum)
	}
	for len(b) < 60 { // Ethernet's minimum
		b = append(b, 0)
	}
	g.frame = b
	g.out.packet(f.at, b)
}

func (f *flow) ethernet(b []byte, from int) []byte {
	router := [6]byte{0x02, 0, 0x5e, 0, 0, 1}
	to, by := router, f.client.mac
	if from == fromServer {
		to, by = by, to
	}
	b = append(append(b, to[:]...), by[:]...)
	if f.client.vlan != 0 {
		b = binary.BigEndian.AppendUint16(b, tagged)
		b = binary.BigEndian.AppendUint16(b, f.client.vlan)
	}
	return b
}

// network adds the IP header, and gives the sum of the pseudo header.
func (f *flow) network(b []byte, from int, protocol byte, length int) ([]byte, uint64) {
	if f.isV6 {
		b = append(b, 0x86, 0xdd, 0x60, 0, 0, 0, byte(length>>8), byte(length), protocol, 60)
		addresses := len(b)
		if from == fromClient {
			b = append(append(b, f.client.v6[:]...), f.v6[:]...)
		} else {
			b = append(append(b, f.v6[:]...), f.client.v6[:]...)
		}
		return b, sum(uint64(protocol)+uint64(length), b[addresses:])
	}
	f.id++
	ttl := byte(64)
	if from == fromServer {
		ttl = 55
	}
	b = append(b, 0x08, 0x00)
	ip := len(b)
	total := 20 + length
	b = append(b, 0x45, 0, byte(total>>8), byte(total), byte(f.id>>8), byte(f.id), 0x40, 0, ttl, protocol, 0, 0)
	if from == fromClient {
		b = append(append(b, f.client.v4[:]...), f.v4[:]...)
	} else {
		b = append(append(b, f.v4[:]...), f.client.v4[:]...)
	}
	binary.BigEndian.PutUint16(b[ip+10:], fold(sum(0, b[ip:])))
	return b, sum(uint64(protocol)+uint64(length), b[ip+12:])
}

func (f *flow) ports(b []byte, from int) []byte {
	source, destination := f.sport, f.dport
	if from == fromServer {
		source, destination = destination, source
	}
	b = binary.BigEndian.AppendUint16(b, source)
	return binary.BigEndian.AppendUint16(b, destination)
}

func (f *flow) udp(b []byte, from int, payload []byte, pseudo uint64) []byte {
	start := len(b)
	b = f.ports(b, from)
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(payload)))
	b = append(append(b, 0, 0), payload...)
	check := fold(sum(pseudo, b[start:]))
	if check == 0 { // zero means that there is none
		check = 0xffff
	}
	binary.BigEndian.PutUint16(b[start+6:], check)
	return b
}

func (f *flow) tcp(b []byte, from int, flags byte, options, payload []byte, pseudo uint64) []byte {
	start := len(b)
	b = f.ports(b, from)
	b = binary.BigEndian.AppendUint32(b, f.seq[from])
	acknowledged := uint32(0)
	if flags&ack != 0 {
		acknowledged = f.seq[1-from]
	}
	b = binary.BigEndian.AppendUint32(b, acknowledged)
	b = append(b, byte(20+len(options))/4<<4, flags, 0xfa, 0xf0, 0, 0, 0, 0)
	b = append(append(b, options...), payload...)
	binary.BigEndian.PutUint16(b[start+16:], fold(sum(pseudo, b[start:])))
	return b
}

func (f *flow) tcpOptions(from int, flags byte) []byte {
	b := f.options[:0]
	if flags&syn != 0 {
		mss := uint16(1460)
		if f.isV6 {
			mss = 1440
		}
		b = binary.BigEndian.AppendUint16(append(b, 2, 4), mss)
		if !f.client.timestamps {
			return append(b, 1, 3, 3, 8, 1, 1, 4, 2) // window scale, selective acknowledgements
		}
		b = f.timestamp(append(b, 4, 2), from, flags)
		return append(b, 1, 3, 3, 7)
	}
	if !f.client.timestamps {
		return nil
	}
	return f.timestamp(append(b, 1, 1), from, flags)
}

func (f *flow) timestamp(b []byte, from int, flags byte) []byte {
	f.stamp[from] = uint32(f.at/time.Millisecond) + uint32(f.sport)*7919*uint32(from+1)
	echo := uint32(0)
	if flags&ack != 0 {
		echo = f.stamp[1-from]
	}
	b = binary.BigEndian.AppendUint32(append(b, 8, 10), f.stamp[from])
	return binary.BigEndian.AppendUint32(b, echo)
}

// sum adds b to s as the Internet checksum does (RFC 1071), eight bytes at a time.
func sum(s uint64, b []byte) uint64 {
	var carry uint64
	for ; len(b) >= 8; b = b[8:] {
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(b), carry)
	}
	s += carry
	for ; len(b) >= 2; b = b[2:] {
		s, carry = bits.Add64(s, uint64(binary.BigEndian.Uint16(b)), 0)
		s += carry
	}
	if len(b) == 1 {
		s, carry = bits.Add64(s, uint64(b[0])<<8, 0)
		s += carry
	}
	return s
}

func fold(s uint64) uint16 {
	s = s>>32 + s&0xffffffff
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}

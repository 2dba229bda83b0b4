// The server of the benchmarks of streams, echo|sink|source|lines [MEGABYTES], over Go's net and bufio.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
)

var megabytes int

func echo(c net.Conn) {
	space := make([]byte, 65536)
	for {
		n, err := c.Read(space)
		if err != nil {
			return
		}
		if _, err := c.Write(space[:n]); err != nil {
			return
		}
	}
}

func sink(c net.Conn) {
	space := make([]byte, 262144)
	for {
		if _, err := c.Read(space); err != nil {
			break
		}
	}
	c.Write([]byte("."))
}

func source(c net.Conn) {
	piece := make([]byte, 65536)
	for i := 0; i < megabytes*16; i++ {
		if _, err := c.Write(piece); err != nil {
			return
		}
	}
}

func lines(c net.Conn) {
	in := bufio.NewReaderSize(c, 65536)
	for {
		if _, err := in.ReadString('\n'); err != nil {
			break
		}
	}
	c.Write([]byte("."))
}

func main() {
	serve := map[string]func(net.Conn){"echo": echo, "sink": sink, "source": source, "lines": lines}[os.Args[1]]
	if len(os.Args) > 2 {
		megabytes, _ = strconv.Atoi(os.Args[2])
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	for {
		c, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		go func() {
			defer c.Close()
			serve(c)
		}()
	}
}

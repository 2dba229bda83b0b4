// The server of the benchmarks of streams, echo|sink|source|lines [MEGABYTES], over Node's net and readline.
'use strict'
const net = require('net')
const readline = require('readline')

const mode = process.argv[2]
const megabytes = Number(process.argv[3] || 0)
const piece = Buffer.alloc(65536, 'x')

const serve = {
  echo (socket) {
    socket.on('data', data => socket.write(data))
    socket.on('end', () => socket.end())
  },
  sink (socket) {
    socket.on('data', () => {})
    socket.on('end', () => socket.end('.'))
  },
  source (socket) {
    let left = megabytes * 16
    const send = () => {
      while (left > 0) {
        left--
        if (!socket.write(piece)) return
      }
      socket.end()
    }
    socket.on('drain', send)
    send()
  },
  lines (socket) {
    let count = 0
    const lines = readline.createInterface({ input: socket, crlfDelay: Infinity })
    lines.on('line', () => { count++ })
    lines.on('close', () => socket.end('.'))
  }
}

const server = net.createServer({ noDelay: true, allowHalfOpen: true }, socket => {
  socket.on('error', () => {})
  serve[mode](socket)
})
server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, () => console.log(server.address().port))
process.stdin.on('end', () => process.exit(0))
process.stdin.resume()

// The server of the benchmarks of streams, echo|sink|source|lines [MEGABYTES [CERTIFICATE]], over Node's net, tls and
// readline.
'use strict'
const fs = require('fs')
const net = require('net')
const readline = require('readline')
const tls = require('tls')

const mode = process.argv[2]
const megabytes = Number(process.argv[3] || 0)
const certificate = process.argv[4]
const piece = Buffer.alloc(65536, 'x')

const serve = {
  echo (socket) {
    socket.on('data', data => socket.write(data))
    socket.on('end', () => socket.end())
  },
  sink (socket) {
    let left = megabytes * 1048576
    socket.on('data', data => {
      left -= data.length
      if (left <= 0) socket.end('.')
    })
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

function handle (socket) {
  socket.setNoDelay(true)
  socket.on('error', () => {})
  serve[mode](socket)
}

const pem = certificate && fs.readFileSync(certificate)
const server = certificate
  ? tls.createServer({ cert: pem, key: pem }, handle)
  : net.createServer({ allowHalfOpen: true }, handle)
server.on('tlsClientError', () => {})
server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, () => console.log(server.address().port))
process.stdin.on('end', () => process.exit(0))
process.stdin.resume()

// The server of the benchmarks of TLS, echo|sink|source CERTIFICATE [MEGABYTES], over Node's tls.
'use strict'
const fs = require('fs')
const tls = require('tls')

const [mode, certificate] = process.argv.slice(2)
const megabytes = Number(process.argv[4] || 0)
const piece = Buffer.alloc(65536, 'x')
const pem = fs.readFileSync(certificate)

const serve = {
  echo (socket) {
    socket.on('data', data => socket.write(data))
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
  }
}

const server = tls.createServer({ cert: pem, key: pem }, socket => {
  socket.setNoDelay(true)
  socket.on('error', () => {})
  serve[mode](socket)
})
server.on('tlsClientError', () => {})
server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, () => console.log(server.address().port))
process.stdin.on('end', () => process.exit(0))
process.stdin.resume()

// The workloads `process` and `files` for Node: node_peer.js WORKLOAD. Prints lines for bench/run; status 3:
// there is no such workload here.
'use strict'
const { spawn } = require('child_process')
const { createReadStream, createWriteStream, promises: fs } = require('fs')
const os = require('os')
const path = require('path')
const readline = require('readline')

// The least elapsed time of several, in nanoseconds per operation.
async function least (name, ops, samples, fn) {
  let best = Infinity
  await fn()
  for (let i = 0; i < samples; i++) {
    const start = process.hrtime.bigint()
    await fn()
    best = Math.min(best, Number(process.hrtime.bigint() - start))
  }
  console.log(`${name} ${process.env.BENCH_RUNNER || 'node'} ${(best / ops).toFixed(1)}`)
}

async function children () {
  const count = 160
  const megabytes = 100
  const one = () => new Promise(resolve => spawn('/bin/true', { stdio: 'inherit' }).on('exit', resolve))
  const run = async n => { for (let i = 0; i < n; i++) await one() }
  const input = Buffer.alloc(megabytes << 20, '0123456789abcdef')
  const cat = () => new Promise(resolve => {
    const child = spawn('cat', { stdio: ['pipe', 'pipe', 'inherit'] })
    const parts = []
    child.stdout.on('data', part => parts.push(part))
    child.on('close', () => {
      if (Buffer.concat(parts).length !== input.length) throw new Error('lost bytes')
      resolve()
    })
    child.stdin.end(input)
  })

  await least('process', count, 5, () => run(count))
  await least('process_16', count, 5, () => Promise.all(Array.from({ length: 16 }, () => run(count / 16))))
  await least('process_cat', megabytes, 5, cat)
}

async function files () {
  const count = 10000
  const atOnce = 100
  const lines = 2000000
  const writes = 1000000
  const directory = await fs.mkdtemp(path.join(os.tmpdir(), 'bench-'))
  const file = path.join(directory, 'lines')

  for (let i = 0; i < count; i++) await fs.writeFile(`${directory}/${i}`, 'x'.repeat(100))
  await fs.writeFile(file, 'fifteen bytes..\n'.repeat(lines))
  await least('files_read_seq', count, 3, async () => {
    for (let i = 0; i < count; i++) await fs.readFile(`${directory}/${i}`)
  })
  await least('files_read_many', count, 3, async () => {
    let next = 0
    const reader = async () => { while (next < count) await fs.readFile(`${directory}/${next++}`) }
    await Promise.all(Array.from({ length: atOnce }, reader))
  })
  await least('files_line', lines, 3, () => new Promise(resolve => {
    const input = readline.createInterface({ input: createReadStream(file), crlfDelay: Infinity })
    let seen = 0
    input.on('line', () => { seen++ })
    input.on('close', () => {
      if (seen !== lines) throw new Error('lost lines')
      resolve()
    })
  }))
  await least('files_write', writes, 3, () => new Promise(resolve => {
    const output = createWriteStream(file)
    let left = writes
    const write = () => {
      while (left > 0) {
        left--
        if (!output.write('fifteen bytes..\n')) return output.once('drain', write)
      }
      output.end(resolve)
    }
    write()
  }))
  await fs.rm(directory, { recursive: true })
}

const workloads = { process: children, files }
const workload = workloads[process.argv[2]]
if (!workload) process.exit(3)
workload()

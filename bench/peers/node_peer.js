// The workloads `process`, `processes`, `executor` and `files` for Node: node_peer.js WORKLOAD. Prints
// lines for bench/run; status 3:
// there is no such workload here.
'use strict'
const { fork, spawn } = require('child_process')
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

// Worker threads that answer each message with what `fn` makes of it.
async function pool (size, fn, body) {
  const { Worker } = require('worker_threads')
  const code = `const { parentPort } = require('worker_threads')
    const fn = ${fn}
    parentPort.on('message', ([id, x]) => parentPort.postMessage([id, fn(x)]))`
  const waiting = new Map()
  let next = 0
  const workers = Array.from({ length: size }, () => {
    const worker = new Worker(code, { eval: true })
    worker.on('message', ([id, x]) => { const f = waiting.get(id); waiting.delete(id); f(x) })
    return worker
  })
  await body(x => new Promise(resolve => {
    waiting.set(next, resolve)
    workers[next % size].postMessage([next++, x])
  }))
  await Promise.all(workers.map(worker => worker.terminate()))
}

async function executor () {
  const rounds = 3000
  const count = 10000
  const same = x => x
  const compute = steps => { let sum = 0; for (let i = 1; i <= steps; i++) sum += i % 7; return sum }
  const both = async (name, ops, fn) => {
    let best = Infinity
    const from = () => { const u = process.cpuUsage(); return (u.user + u.system) * 1000 }
    await least(name, ops, 5, async () => {
      const start = from()
      await fn()
      best = Math.min(best, from() - start)
    })
    console.log(`${name}_cpu ${process.env.BENCH_RUNNER || 'node'} ${(best / ops).toFixed(1)}`)
  }
  await pool(1, same, submit => both('executor_round', rounds, async () => {
    for (let i = 0; i < rounds; i++) await submit()
  }))
  await pool(4, same, submit => both('executor_batch', count, () =>
    Promise.all(Array.from({ length: count }, () => submit()))))
  for (const threads of [1, 2]) {
    await pool(threads, compute, submit => both(`executor_cpu${threads}`, 4, () =>
      Promise.all(Array.from({ length: 4 }, () => submit(5000000)))))
  }
  const text = '0123456789abcdef'.repeat(100 << 16)
  await pool(1, same, submit => both('executor_string', 1, async () => {
    if ((await submit(text)).length !== text.length) throw new Error('lost bytes')
  }))
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

async function processes () {
  const rounds = 2000
  const batch = 10000
  const pair = [1, 2].map(() => fork(__filename, ['echo'], { serialization: 'advanced' }))
  const call = (child, message) => new Promise(resolve => {
    child.once('message', resolve)
    child.send(message)
  })
  await least('processes_round', rounds, 5, async () => {
    for (let i = 0; i < rounds; i++) await call(pair[0], 0)
  })
  await least('processes_batch', batch, 5, () => Promise.all(pair.map(child => new Promise(resolve => {
    let left = batch / 2
    const done = () => { if (--left === 0) child.off('message', done), resolve() }
    child.on('message', done)
    for (let i = 0; i < batch / 2; i++) child.send(0)
  }))))
  pair.forEach(child => child.disconnect())
}

if (process.argv[2] === 'echo') process.on('message', message => process.send(message))

const workloads = { process: children, processes, executor, files, echo: () => {} }
const workload = workloads[process.argv[2]]
if (!workload) process.exit(3)
workload()

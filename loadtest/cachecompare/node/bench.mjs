// The same work as compare_test.go in BentoCache, the model that the cache was
// made after. One JSON object a line.
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { redisDriver, redisBusDriver } from 'bentocache/drivers/redis'
import { Redis } from 'ioredis'

const [host, port] = process.env.REDIS.split(':')
const connection = { host, port: Number(port) }
const version = 'BentoCache 1.6.1'
const sharedKeys = 5000
const callers = 10_000
const takes = 100

const portfolio = () => ({
  owner: '7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU',
  value: 1234.5,
  holdings: Array.from({ length: 20 }, (_, i) => ({
    mint: 'EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt' + String(i).padStart(2, '0'),
    amount: '1500000000',
    price: 1.5,
  })),
})

const open = []
// serialize is BentoCache's default for the first tier, and needed with a second.
function start(redis, serialize = true) {
  let store = bentostore({ ttl: '1h' }).useL1Layer(memoryDriver({ maxItems: 100_000, serialize }))
  if (redis) {
    store = store.useL2Layer(redisDriver({ connection })).useBus(redisBusDriver({ connection }))
  }
  const bento = new BentoCache({ default: 'main', stores: { main: store } })
  open.push(bento)
  return bento
}

const say = (group, name, value, unit, note) => console.log(JSON.stringify({ group, name, value, unit, note }))
const quantile = (list, q) => list.sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * q))]
const now = () => Number(process.hrtime.bigint())

// --- memory
async function memory(name, bento, note) {
  const get = () => bento.getOrSet({ key: 'portfolio:7xK:value', factory: portfolio })
  for (let i = 0; i < 20_000; i++) await get()
  const calls = 5000
  let best = Infinity
  for (let batch = 0; batch < 40; batch++) {
    const begin = now()
    for (let i = 0; i < calls; i++) await get()
    best = Math.min(best, (now() - begin) / calls)
  }
  say('L1 hit', name, best, 'ns', note)
}
await memory(`${version} getOrSet`, start(false, false), '(memory alone, values not serialised; on Node.js)')
await memory(`${version} getOrSet, two tiers`, start(true), '(its default: values serialised; on Node.js)')

// --- Redis
{
  const a = start(true)
  const b = start(true)
  let loads = 0
  const factory = () => { loads++; return portfolio() }
  for (let i = 0; i < sharedKeys; i++) await a.getOrSet({ key: 'b' + i, factory, tags: ['all'] })
  await new Promise((done) => setTimeout(done, 500))
  loads = 0
  const took = []
  for (let i = 0; i < sharedKeys; i++) {
    const begin = now()
    await b.getOrSet({ key: 'b' + i, factory, tags: ['all'] })
    took.push((now() - begin) / 1000)
  }
  say('L2 hit', `${version}, one tag`, quantile(took, .5), 'us p50', `p99 ${quantile(took, .99).toFixed(1)} us (${loads} loads; on Node.js)`)

  const plain = new Redis(connection)
  for (let i = 0; i < sharedKeys; i++) await plain.set('n' + i, JSON.stringify(portfolio()))
  const gets = []
  for (let i = 0; i < sharedKeys; i++) {
    const begin = now()
    JSON.parse(await plain.get('n' + i))
    gets.push((now() - begin) / 1000)
  }
  say('L2 hit', 'ioredis 5.8.2 GET and JSON.parse', quantile(gets, .5), 'us p50', `p99 ${quantile(gets, .99).toFixed(1)} us (on Node.js)`)
  plain.disconnect()
}

// --- stampede
async function stampede(name, instances) {
  let loads = 0
  const factory = async () => {
    loads++
    await new Promise((done) => setTimeout(done, takes))
    return portfolio()
  }
  const waits = []
  await Promise.all(Array.from({ length: callers }, async (_, i) => {
    const begin = now()
    await instances[i % instances.length].getOrSet({ key: 'cold', factory, tags: ['t'] })
    waits.push((now() - begin) / 1e6)
  }))
  say('stampede', name, quantile(waits, .99), 'ms p99', `${loads} loads (on Node.js)`)
}
await stampede(`${version}, 1 instance`, [start(false, false)])
await stampede(`${version}, 3 instances over Redis`, [start(true), start(true), start(true)])

for (const bento of open) await bento.disconnectAll()

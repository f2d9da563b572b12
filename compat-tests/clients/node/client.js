// client.js produce|consume key=value ...: KafkaJS under test; clients/README.md has the format.
'use strict'

const readline = require('node:readline')
const { CompressionTypes, Kafka, logLevel } = require('kafkajs')

const COMPRESSION = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP }

const bytes = field => (field === '-' ? null : Buffer.from(field, 'base64'))
const encode = value => (Buffer.isBuffer(value) ? value.toString('base64') : value)
const tell = (event, fields) => console.log(JSON.stringify({ event, ...fields }))

async function messages () {
  const all = []
  for await (const line of readline.createInterface({ input: process.stdin })) {
    if (line === '') break
    const [partition, timestamp, key, value, headers] = line.split('\t')
    const message = { key: bytes(key), value: bytes(value), headers: {} }
    if (partition !== '-1') message.partition = Number(partition)
    if (timestamp !== '-1') message.timestamp = timestamp
    for (const header of headers === '' ? [] : headers.split(',')) {
      const [name, content] = header.split(':').map(bytes)
      // A repeated name is a list: KafkaJS keeps the order within a name only.
      const before = message.headers[name]
      message.headers[name] = before === undefined ? content : [before, content].flat()
    }
    all.push(message)
  }
  return all
}

async function produce (kafka, { topic, compression = 'none', idempotent = 'false' }) {
  const producer = kafka.producer({ idempotent: idempotent === 'true' })
  await producer.connect()
  const sent = await producer.send({
    topic,
    acks: -1,
    compression: COMPRESSION[compression],
    messages: await messages()
  })
  // One entry a partition: KafkaJS tells the base offset of the batch, not of each message.
  for (const { topicName, partition, baseOffset } of sent) {
    tell('sent', { topic: topicName, partition, offset: Number(baseOffset) })
  }
  await producer.disconnect()
}

async function consume (kafka, { topic, group, count = '0', session = '30000' }) {
  const consumer = kafka.consumer({ groupId: group, sessionTimeout: Number(session) })
  const wanted = Number(count)
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    const partitions = Object.entries(payload.memberAssignment)
      .flatMap(([name, numbers]) => numbers.map(number => `${name}-${number}`))
    tell('assigned', { partitions: partitions.sort() })
  })
  await consumer.connect()
  await consumer.subscribe({ topics: topic.split(','), fromBeginning: true })
  const finished = new Promise((resolve, reject) => {
    let seen = 0
    consumer.on(consumer.events.CRASH, ({ payload }) => { if (!payload.restart) reject(payload.error) })
    if (wanted === 0) process.stdin.on('end', resolve).resume()
    consumer.run({
      eachMessage: async ({ topic, partition, message }) => {
        const headers = Object.entries(message.headers)
          .flatMap(([name, values]) => [values].flat().map(value => [name, encode(value)]))
        tell('received', {
          topic,
          partition,
          offset: Number(message.offset),
          timestamp: Number(message.timestamp),
          key: encode(message.key),
          value: encode(message.value),
          headers
        })
        if (++seen === wanted) resolve()
      }
    })
  })
  await finished
  // Leaving commits what was resolved.
  await consumer.disconnect()
}

async function main () {
  const [verb, ...pairs] = process.argv.slice(2)
  const options = Object.fromEntries(pairs.map(pair => {
    const at = pair.indexOf('=')
    return [pair.slice(0, at), pair.slice(at + 1)]
  }))
  const kafka = new Kafka({ clientId: 'compat', brokers: [options.bootstrap], logLevel: logLevel.ERROR })
  await { produce, consume }[verb](kafka, options)
  tell('done', { command: verb })
}

main().then(() => process.exit(0), failure => {
  console.error(failure)
  tell('failed', { error: String(failure) })
  process.exit(1)
})

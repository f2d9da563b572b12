// amqp.js session: amqplib under test, which does what standard input says; clients/README.md has the format.
'use strict'

const readline = require('node:readline')
const amqplib = require('amqplib')

const PROPERTIES = {
  content_type: 'contentType',
  content_encoding: 'contentEncoding',
  headers: 'headers',
  delivery_mode: 'deliveryMode',
  priority: 'priority',
  correlation_id: 'correlationId',
  reply_to: 'replyTo',
  expiration: 'expiration',
  message_id: 'messageId',
  timestamp: 'timestamp',
  type: 'type',
  user_id: 'userId',
  app_id: 'appId'
}

const tell = (event, fields) => console.log(JSON.stringify({ event, ...fields }))

// JSON as the library takes it.
function native (value) {
  if (Array.isArray(value)) return value.map(native)
  if (value === null || typeof value !== 'object') return value
  if ('!bytes' in value) return Buffer.from(value['!bytes'], 'base64')
  if ('!time' in value) return { '!': 'timestamp', value: value['!time'] }
  if ('!decimal' in value) {
    const [places, digits] = value['!decimal']
    return { '!': 'decimal', value: { places, digits } }
  }
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, native(item)]))
}

// The way back.
function plain (value) {
  if (Array.isArray(value)) return value.map(plain)
  if (value === null || typeof value !== 'object') return value
  if (Buffer.isBuffer(value)) return { '!bytes': value.toString('base64') }
  if (value['!'] === 'timestamp') return { '!time': value.value }
  if (value['!'] === 'decimal') return { '!decimal': [value.value.places, value.value.digits] }
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]))
}

// What every event has that is of a message.
function tellMessage (event, { fields, properties, content }, more) {
  const given = {}
  for (const [name, own] of Object.entries(PROPERTIES)) {
    if (properties[own] !== undefined) given[name] = plain(properties[own])
  }
  tell(event, {
    delivery: fields.deliveryTag,
    redelivered: fields.redelivered,
    exchange: fields.exchange,
    key: fields.routingKey,
    value: content.toString('base64'),
    properties: given,
    ...more
  })
}

// A verb and its arguments.
class Command {
  constructor (line) {
    const [verb, ...pairs] = line.split('\t')
    this.verb = verb
    this.arguments = Object.fromEntries(pairs.map(pair => {
      const at = pair.indexOf('=')
      return [pair.slice(0, at), pair.slice(at + 1)]
    }))
  }

  text (name, otherwise = '') { return this.arguments[name] ?? otherwise }
  number (name, otherwise = 0) { return Number(this.arguments[name] ?? otherwise) }
  isSet (name) { return this.arguments[name] === 'true' }
  table (name) { return native(JSON.parse(this.text(name, '{}'))) }
  get channel () { return this.text('channel', 'main') }
  // The library acknowledges messages, of which it looks at this alone.
  get message () { return { fields: { deliveryTag: this.number('delivery') } } }

  get bodies () {
    if (!('count' in this.arguments)) return [Buffer.from(this.text('body'), 'base64')]
    return Array.from({ length: this.number('count') }, (_, number) => Buffer.from(String(number)))
  }

  get properties () {
    const given = Object.entries(this.table('properties'))
    return Object.fromEntries(given.map(([name, value]) => [PROPERTIES[name], value]))
  }
}

class Session {
  connection = null
  channels = new Map()

  async connect (command) {
    const [hostname, port] = command.text('amqp').split(':')
    const heartbeat = command.number('heartbeat', 60)
    const connection = await amqplib.connect({ hostname, port: Number(port), heartbeat })
    // What ends it is an error, and then it is closed.
    let reason = { code: 0, message: 'the connection is cut' }
    connection.on('error', error => { reason = error })
    connection.on('close', error => {
      if (this.connection !== connection) return
      this.connection = null
      tellClosed('connection', error ?? reason)
    })
    this.connection = connection
    this.channels.clear()
  }

  async disconnect () {
    const connection = this.connection
    this.connection = null
    await connection.close()
  }

  async open (command) {
    const isConfirming = command.text('mode') === 'confirm'
    const create = isConfirming ? 'createConfirmChannel' : 'createChannel'
    const channel = await this.connection[create]()
    channel.isConfirming = isConfirming
    channel.on('error', error => tellClosed('channel', error))
    channel.on('return', message => {
      const { replyCode, replyText } = message.fields
      tellMessage('returned', message, { code: replyCode, text: replyText })
    })
    this.channels.set(command.channel, channel)
  }
}

function tellClosed (scope, error) {
  // The library puts its own words before the server's.
  const text = String(error.message).replace(/^.*? with message "(.*)"$/s, '$1')
  tell('closed', { scope, code: error.code ?? 0, text })
}

// What a channel does for each command.
const VERBS = {
  close: channel => channel.close(),

  async 'declare-exchange' (channel, command) {
    if (command.isSet('passive')) return channel.checkExchange(command.text('name'))
    await channel.assertExchange(command.text('name'), command.text('type', 'direct'), {
      durable: command.isSet('durable'),
      autoDelete: command.isSet('auto_delete'),
      internal: command.isSet('internal'),
      arguments: command.table('arguments')
    })
  },

  'delete-exchange': (channel, command) => channel.deleteExchange(command.text('name')),

  'bind-exchange': (channel, command) => channel.bindExchange(
    command.text('to'), command.text('exchange'), command.text('key'), command.table('arguments')),

  async 'declare-queue' (channel, command) {
    const options = {
      durable: command.isSet('durable'),
      exclusive: command.isSet('exclusive'),
      autoDelete: command.isSet('auto_delete'),
      arguments: command.table('arguments')
    }
    const { queue, messageCount, consumerCount } = command.isSet('passive')
      ? await channel.checkQueue(command.text('name'))
      : await channel.assertQueue(command.text('name'), options)
    tell('declared', { name: queue, messages: messageCount, consumers: consumerCount })
  },

  async 'delete-queue' (channel, command) {
    const { messageCount } = await channel.deleteQueue(command.text('name'))
    tell('deleted', { messages: messageCount })
  },

  async purge (channel, command) {
    const { messageCount } = await channel.purgeQueue(command.text('queue'))
    tell('purged', { messages: messageCount })
  },

  bind: (channel, command) => channel.bindQueue(
    command.text('queue'), command.text('exchange'), command.text('key'), command.table('arguments')),

  unbind: (channel, command) => channel.unbindQueue(
    command.text('queue'), command.text('exchange'), command.text('key'), command.table('arguments')),

  async publish (channel, command) {
    const [exchange, key] = [command.text('exchange'), command.text('key')]
    const options = { ...command.properties, mandatory: command.isSet('mandatory') }
    if (!channel.isConfirming) {
      command.bodies.forEach(body => channel.publish(exchange, key, body, options))
      return
    }
    const confirms = command.bodies.map(body => new Promise(resolve => {
      channel.publish(exchange, key, body, options, error => resolve(error === null ? 1 : 0))
    }))
    const confirmed = await Promise.all(confirms)
    // A channel that closes fails what it has not confirmed.
    await channel.waitForConfirms()
    tell('confirmed', { count: confirmed.reduce((sum, one) => sum + one, 0) })
  },

  async get (channel, command) {
    const message = await channel.get(command.text('queue'), { noAck: command.isSet('auto_ack') })
    if (message) tellMessage('got', message, { left: message.fields.messageCount })
    else tell('empty')
  },

  qos: (channel, command) => channel.prefetch(command.number('prefetch'), command.isSet('global')),

  async consume (channel, command) {
    let tag = command.text('tag')
    const take = message => {
      if (message === null) tell('cancelled', { tag })
      else tellMessage('received', message, { tag: message.fields.consumerTag })
    }
    const { consumerTag } = await channel.consume(command.text('queue'), take, {
      consumerTag: tag,
      noAck: command.isSet('auto_ack'),
      exclusive: command.isSet('exclusive'),
      arguments: command.table('arguments')
    })
    tag = consumerTag
    tell('consuming', { tag })
  },

  cancel: (channel, command) => channel.cancel(command.text('tag')),
  ack: (channel, command) => channel.ack(command.message, command.isSet('multiple')),
  nack: (channel, command) =>
    channel.nack(command.message, command.isSet('multiple'), command.isSet('requeue')),
  reject: (channel, command) => channel.reject(command.message, command.isSet('requeue')),
  recover: channel => channel.recover()
}

async function main () {
  const session = new Session()
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = new Command(line)
    const ofConnection = ['connect', 'disconnect', 'open'].includes(command.verb)
    const channel = session.channels.get(command.channel)
    try {
      if (ofConnection) await session[command.verb](command)
      else await VERBS[command.verb](channel, command)
      tell('done', { command: command.verb })
    } catch (error) {
      if (error instanceof TypeError) throw error
      // Why it is closed is told by whom it was closed for.
      tell('refused', { command: command.verb })
    }
  }
  if (session.connection !== null) await session.disconnect()
}

main().then(() => process.exit(0), failure => {
  console.error(failure)
  tell('failed', { error: String(failure) })
  process.exit(1)
})

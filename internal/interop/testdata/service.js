// A service that is built on aws-lambda-stream, as its templates have it: a listener that keeps rows of things, and a trigger
// that publishes what changes in them. Standard input has a list of invocations, {handler, event}; standard output gets the
// result of each, its error and the processor time that it took, and PutEvents and UpdateItem go to AWS_ENDPOINT_URL_EVENTBRIDGE and AWS_ENDPOINT_URL_DYNAMODB.
const {
  initialize, initializeFrom, fromSqsEvent, fromKinesis, fromDynamodb, toPromise,
  materialize, cdc, defaultOptions, updateExpression, timestampCondition, ttl,
} = require('aws-lambda-stream');

const opt = { ...defaultOptions };

const internals = ['pk', 'sk', 'discriminator', 'timestamp', 'lastModifiedBy', 'latched', 'deleted', 'ttl', 'awsregion', '_v'];

// The row without what is internal to it, with the name that its key has outside.
const mapper = (row) => Object.keys(row)
  .filter((name) => !internals.includes(name))
  .reduce((thing, name) => ({ ...thing, [name]: row[name] }), { id: row.pk });

const listenerRules = [{
  id: 'm1',
  flavor: materialize,
  eventType: /thing-(created|updated|deleted|undeleted)/,
  compact: process.env.COMPACT === 'true',
  toUpdateRequest: (uow) => {
    const { id, ...fields } = uow.event.thing;
    if (fields.name === process.env.POISON) throw new Error('this name is poison');
    return {
      Key: { pk: id, sk: 'thing' },
      ...updateExpression({
        ...fields,
        discriminator: 'thing',
        lastModifiedBy: 'system',
        timestamp: uow.event.timestamp,
        deleted: uow.event.type === 'thing-deleted' ? true : null,
        latched: true,
        ttl: ttl(uow.event.timestamp, 33),
        awsregion: process.env.AWS_REGION,
      }),
      ...timestampCondition(),
    };
  },
}];

const triggerRules = [{
  id: 't1',
  flavor: cdc,
  eventType: /thing-(created|updated|deleted|undeleted)/,
  toEvent: (uow) => {
    const row = uow.event.raw.new || uow.event.raw.old;
    if (row.name === process.env.POISON) throw new Error('this name is poison');
    return { thing: mapper(row), raw: undefined };
  },
}];

// The whole thing, with its parts, as it is when the record is handled.
const aggregateRules = [{
  id: 't2',
  flavor: cdc,
  eventType: /^thing-(created|updated|deleted|undeleted)$/,
  queryRelated: true,
  toEvent: (uow) => ({
    thing: uow.queryResponse.reduce((thing, row) => (row.sk === 'thing'
      ? { ...thing, ...mapper(row) }
      : { ...thing, parts: [...(thing.parts || []), { ...mapper(row), id: row.sk.split('|')[1] }] }), {}),
    queryResponse: undefined,
    raw: undefined,
  }),
}];

const run = (rules, from) => (event) => initialize(initializeFrom(rules), opt)
  .assemble(from(event))
  .through(toPromise);

const handlers = {
  queue: run(listenerRules, fromSqsEvent),
  stream: run(listenerRules, fromKinesis),
  trigger: run(triggerRules, fromDynamodb),
  aggregates: run(aggregateRules, fromDynamodb),
};

const main = async () => {
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  const results = [];
  for (const { handler, event } of JSON.parse(Buffer.concat(chunks))) {
    const before = process.cpuUsage();
    let error = '';
    try {
      await handlers[handler](event);
    } catch (err) {
      error = `${err.name}: ${err.message}`;
    }
    const { user, system } = process.cpuUsage(before);
    results.push({ error, micros: user + system });
  }
  process.stdout.write(JSON.stringify(results));
};

main();

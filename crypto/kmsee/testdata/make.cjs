// Makes envelopes with the npm package aws-kms-ee, whose key service is replaced by random data keys.
// usage: NODE_PATH=…/node_modules node make.cjs [count] > envelopes.json
const Module = require('module');
const { randomBytes } = require('crypto');
const load = Module._load;
const keys = {};
let next;
Module._load = function (name, ...rest) {
  if (name === '@smithy/node-http-handler') return { NodeHttpHandler: class {} };
  if (name !== '@aws-sdk/client-kms') return load.call(this, name, ...rest);
  const command = (kind) => class { constructor(input) { Object.assign(this, { kind, input }); } };
  return {
    GenerateDataKeyCommand: command('generate'), DecryptCommand: command('decrypt'), EncryptCommand: command('encrypt'),
    KMSClient: class {
      async send({ kind, input }) {
        if (kind === 'generate') next = randomBytes(32);
        const blob = randomBytes(24);
        keys[blob.toString('base64')] = (kind === 'generate' ? next : Buffer.from(input.Plaintext)).toString('base64');
        return { Plaintext: next, CiphertextBlob: blob };
      }
    },
  };
};
process.env.AWS_REGION = 'us-east-1';
const nested = {
  id: '1', email: 'ada@example.com', name: { first: 'Ada', tags: ['a', null] }, count: 1.5, none: null, flag: false, empty: '', big: 1e21, text: '12E5',
  list: [{ email: 'b@example.com', keep: 3 }, ['x', { flag: true }]], other: { deep: { email: 'Zoë <&> "q" \u2028 😀' } },
};
const fields = ['email', 'name', 'count', 'none', 'flag', 'empty', 'big', 'text'];
(async () => {
  const out = [];
  for (let i = 0; i < Number(process.argv[2] ?? 1); i++) {
    for (const name of Object.keys(require.cache)) if (name.includes('aws-kms-ee') || name.includes('memory-cache')) delete require.cache[name];
    const { encryptObject } = require('aws-kms-ee');
    const regions = i % 2 ? ['us-east-1', 'us-west-2'] : undefined;
    const { encrypted, metadata } = await encryptObject(nested, { masterKeyAlias: 'alias/test', fields, regions, AES: true });
    out.push({ envelope: { ...encrypted, eem: metadata }, plain: nested });
  }
  console.log(JSON.stringify({ keys, envelopes: out }, null, 1));
})();

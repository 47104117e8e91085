// A second implementation of docs/sealing-format.md, to read only: it proves the specification, and is no product.
// usage: node read.mjs vectors.json
import { createDecipheriv, createHmac, hkdfSync } from 'node:crypto';
import { readFileSync } from 'node:fs';

const utf8 = (text) => Buffer.from(text, 'utf8');
const u32 = (n) => { const b = Buffer.alloc(4); b.writeUInt32BE(n); return b; };
const LP = (text) => Buffer.concat([u32(utf8(text).length), utf8(text)]);
const LPbytes = (bytes) => Buffer.concat([u32(bytes.length), bytes]);
const derive = (secret, size, ...info) => Buffer.from(hkdfSync('sha256', secret, '', Buffer.concat(info), size));
const b64 = (text) => Buffer.from(text, 'base64');

// section 2: nonce | ciphertext | tag
function gcm(key, box, aad) {
  const open = createDecipheriv('aes-256-gcm', key, box.subarray(0, 12));
  open.setAAD(aad);
  open.setAuthTag(box.subarray(box.length - 16));
  return Buffer.concat([open.update(box.subarray(12, box.length - 16)), open.final()]);
}

// section 5: a wrapped key
function unwrap(key, wrapped, ...bound) {
  if (wrapped.length !== 61 || wrapped[0] !== 1) throw new Error('not a wrapped key');
  return gcm(key, wrapped.subarray(1), Buffer.concat([LP('insideout/wrap/v1'), ...bound]));
}

// section 6: a local master key
function unwrapLocal(master, wrapped, binding) {
  const material = derive(master, 48, LP('insideout/wrap/v1'), LP('local'));
  if (!material.subarray(32).equals(wrapped.subarray(0, 16))) throw new Error('another master key');
  const pairs = Object.keys(binding).sort().flatMap((name) => [LP(name), LP(binding[name])]);
  return unwrap(material.subarray(0, 32), wrapped.subarray(16), LP('local'), ...pairs);
}

class Reader {
  constructor(v) {
    this.ns = v.namespace;
    this.rows = new Map(v.rows.map((row) => [row.pk, row]));
    const row = this.rows.get(`ns#${this.ns}`);
    this.keks = {};
    for (const [epoch, wrapped] of Object.entries(row.epochs)) {
      const secret = unwrapLocal(b64(v.master), b64(wrapped), { 'insideout:namespace': this.ns, 'insideout:epoch': epoch });
      this.keks[epoch] = derive(secret, 32, LP('insideout/wrap/v1'), LP(this.ns), LP(epoch));
    }
    this.root = unwrap(this.keks[row.epoch], b64(row.root), LP(this.ns), LP('root'));
  }

  // section 4
  ref(subject) {
    const key = derive(this.root, 32, LP('insideout/subject/v1'), LP(this.ns));
    return createHmac('sha256', key).update(utf8(subject)).digest('base64url');
  }

  // section 7
  index({ name, version, bits, value }) {
    const key = derive(this.root, 32, LP('insideout/index/v1'), LP(this.ns), LP(name), LP(String(version)), LP(String(bits)));
    const sum = createHmac('sha256', key).update(utf8(value)).digest();
    if (bits === 0) return sum.subarray(0, 16).toString('hex');
    return (sum.readBigUInt64BE(0) >> BigInt(64 - bits)).toString(16).padStart(Math.ceil(bits / 4), '0');
  }

  // sections 2 and 3
  open({ origin, ciphertext }) {
    const sealed = b64(ciphertext);
    if (sealed.length < 45 || sealed[0] !== 1) return { outcome: 'refused' };
    const id = sealed.subarray(1, 17);
    const subject = origin.subject ?? '';
    const pk = `subject#${this.ns}#${this.ref(subject)}`;
    const row = this.rows.get(pk);
    if (row?.dead?.some((d) => b64(d).equals(id))) return { outcome: 'shredded' };
    const record = row?.keys?.find((k) => b64(k.id).equals(id));
    if (!record) return { outcome: 'refused' };
    if (row.state !== 'active') return { outcome: 'restricted' };
    const secret = unwrap(this.keks[record.epoch], b64(record.wrapped), LP(pk), LPbytes(id));
    const material = derive(secret, 48, LP('insideout/seal/v1'), LP(this.ns), LP(pk));
    if (!material.subarray(32).equals(id)) return { outcome: 'refused' }; // the id commits to the key
    const aad = Buffer.concat([LP('insideout/seal/v1'), Buffer.from([1]), id,
      ...[this.ns, subject, origin.model, origin.id, origin.field, origin.class].map(LP)]);
    try {
      return { outcome: 'opened', plaintext: gcm(material.subarray(0, 32), sealed.subarray(17), aad).toString('utf8') };
    } catch {
      return { outcome: 'refused' };
    }
  }
}

const v = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const reader = new Reader(v);
let wrong = 0;
const check = (what, got, want) => {
  if (got !== want) { wrong++; console.log(`${what}: got ${got}, want ${want}`); }
};
v.sealed.forEach((f, i) => {
  const { outcome, plaintext = '' } = reader.open(f);
  check(`sealed ${i}`, outcome, f.outcome);
  check(`sealed ${i}`, plaintext, f.plaintext);
});
v.indexes.forEach((ix, i) => check(`index ${i}`, reader.index(ix), ix.hash));
v.subjects.forEach((s, i) => check(`subject ${i}`, reader.ref(s.subject), s.ref));
if (wrong) process.exit(1);
console.log(`${v.sealed.length} sealed values, ${v.indexes.length} indexes, ${v.subjects.length} subjects: as they should be`);

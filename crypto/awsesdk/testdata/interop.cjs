// Opens a message with the AWS Encryption SDK for JavaScript, and makes two.
// usage: NODE_PATH=…/node_modules node interop.cjs MESSAGE
const { buildClient, CommitmentPolicy, RawAesKeyringNode, RawAesWrappingSuiteIdentifier, AlgorithmSuiteIdentifier } = require('@aws-crypto/client-node');
const { encrypt, decrypt } = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);
const keyring = new RawAesKeyringNode({
  keyNamespace: 'insideout', keyName: 'a', unencryptedMasterKey: new Uint8Array(32).fill(1),
  wrappingSuite: RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING,
});
(async () => {
  const { plaintext, messageHeader } = await decrypt(keyring, Buffer.from(process.argv[2], 'base64'));
  if (messageHeader.encryptionContext.tenant !== 'shop') throw new Error('context');
  console.log(plaintext.toString('utf8'));
  for (const suiteId of [
    AlgorithmSuiteIdentifier.ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY,
    AlgorithmSuiteIdentifier.ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY_ECDSA_P384,
  ]) {
    const { result } = await encrypt(keyring, Buffer.from('from Node: ü'), { encryptionContext: { tenant: 'shop', größe: 'ü' }, suiteId });
    console.log(result.toString('base64'));
  }
})();

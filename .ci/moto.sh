# moto, a server of the AWS APIs (SQS, SNS, Kinesis, EventBridge, S3, KMS …), for the suites that want one. Sourced by
# .ci/run, not run.

moto_version=5.2.5
moto_home=$PWD/.ci/cache/moto

# install_moto makes a Python environment with moto in the cache; 3 if a tool is missing.
install_moto() {
	if [ "$(cat "$moto_home/complete" 2>/dev/null)" = "$moto_version" ]; then
		return 0
	fi
	if ! command -v python3 >/dev/null || ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
		missing 'python3 (3.10 or later, with venv), so nothing ran against the APIs of SQS, SNS, Kinesis, EventBridge, S3 and KMS'
		return 3
	fi
	rm -rf "$moto_home"
	python3 -m venv "$moto_home" || return 1
	within 300 "$moto_home/bin/pip" install --quiet --disable-pip-version-check "moto[server]==$moto_version" </dev/null || return 1
	echo "$moto_version" >"$moto_home/complete"
}

# start_moto starts it and exports INSIDEOUT_AWS_ENDPOINT.
start_moto() {
	# It has no room for the ids of multi-Region keys in its ciphertexts.
	sed -i.orig 's/^KEY_ID_LEN = 36$/KEY_ID_LEN = 40/; s/key_id.decode("utf-8"), iv/key_id.decode("utf-8").rstrip("\\0"), iv/' "$moto_home"/lib/python3*/site-packages/moto/kms/utils.py
	start_server moto INSIDEOUT_AWS_ENDPOINT "$moto_home/log" 's/.*Running on http:[/][/]127\.0\.0\.1:([0-9]+).*/\1/p' \
		"$moto_home/bin/moto_server" -H 127.0.0.1 -p 0
}

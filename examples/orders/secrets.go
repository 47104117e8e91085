package main

import (
	"context"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/insideout-go/insideout/crypto"
)

// masterVariable names the environment variable with the master key: 32 bytes in base64.
const masterVariable = "ORDERS_MASTER_KEY"

// secrets are what the services keep to themselves. A production service has its master key in AWS KMS (package crypto/awskms).
type secrets struct {
	sealer     *crypto.Sealer     // of e-mail addresses and countries
	references []byte             // the key of references to customers
	signer     ed25519.PrivateKey // of receipts
}

// openSecrets makes everything of one master key: that of the environment, or of a file outside of the data. Data in memory has a key that nobody keeps.
func openSecrets(ctx context.Context, opts options, c client) (*secrets, error) {
	master, err := masterKey(opts)
	if err != nil {
		return nil, badInput{err}
	}
	local, err := crypto.NewLocalKey(master)
	if err != nil {
		return nil, badInput{fmt.Errorf("%s: %w", masterVariable, err)}
	}
	if err := createKeyTable(ctx, c); err != nil {
		return nil, err
	}
	keys, err := crypto.New(c, keyTable, local, nil)
	if err != nil {
		return nil, err
	}
	sealer, err := keys.Namespace("orders")
	if err != nil {
		return nil, err
	}
	references, err := hkdf.Key(sha256.New, master, nil, "references", 32)
	if err != nil {
		return nil, err
	}
	seed, err := hkdf.Key(sha256.New, master, nil, "receipts", ed25519.SeedSize)
	return &secrets{sealer: sealer, references: references, signer: ed25519.NewKeyFromSeed(seed)}, err
}

const keyTable = "orders-keys"

func createKeyTable(ctx context.Context, c client) error {
	_, err := c.CreateTable(ctx, crypto.KeyTableSchema(keyTable))
	if _, there := errors.AsType[*types.ResourceInUseException](err); err != nil && !there {
		return err
	}
	for {
		out, err := c.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: new(keyTable)})
		if err != nil || out.Table.TableStatus == types.TableStatusActive {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func masterKey(opts options) ([]byte, error) {
	if text := os.Getenv(masterVariable); text != "" {
		return parseKey(masterVariable, text)
	}
	file, err := keyFile(opts)
	if err != nil || file == "" {
		return newKey(), err
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		key := newKey()
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return nil, err
		}
		return key, os.WriteFile(file, []byte(base64.StdEncoding.EncodeToString(key)+"\n"), 0o600)
	}
	if err != nil {
		return nil, err
	}
	return parseKey(file, string(text))
}

// keyFile is beside the data, not in it: whoever gets hold of a copy of the data cannot read what is sealed. Data in memory needs none.
func keyFile(opts options) (string, error) {
	switch {
	case opts.data != "":
		return filepath.Clean(opts.data) + ".key", nil
	case opts.endpoint != "":
		dir, err := os.UserConfigDir()
		if err != nil {
			return "", fmt.Errorf("there is no folder for the master key: set %s to 32 bytes in base64", masterVariable)
		}
		return filepath.Join(dir, "insideout", "orders.key"), nil
	}
	return "", nil
}

func newKey() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return key
}

func parseKey(where, text string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("%s: the master key is 32 bytes in base64, and this is not", where)
	}
	return key, nil
}

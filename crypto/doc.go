// Package crypto seals single fields with keys that can be destroyed: one key for each data subject, so that destroying it
// makes every copy of that person's data unreadable, in rows, events, views, lakes and backups.
//
// Start with [New], which takes the key table and a [KeyWrapper] (AWS KMS in crypto/awskms, a local master key in this
// package), and with [Keys.Namespace], whose [Sealer] the packages table, cdc and views take as insideout.Sealer and
// insideout.Opener.
//
// # Keys
//
//	master key (KMS, or local)  wraps  epoch key of a namespace  wraps  subject key  gives  sealing key and key id
//
// A namespace is a tenant. Its epoch keys are wrapped by the master key, which is asked once in [Options].MasterTTL. Subject keys are
// random, wrapped by the epoch's key, and lie in a DynamoDB table of their own under a keyed hash of the subject.
// [Sealer.ShredSubject] removes a subject's keys; [Sealer.RotateEpoch], [Sealer.Rewrap] and [Sealer.RetireEpoch] change the
// keys above them without touching data; [Sealer.RotateSubject] and [Sealer.Reseal] change those of the data.
//
// # Guarantees
//
//   - A ciphertext opens where it was sealed (namespace, subject, model, row, field, class) and nowhere else. Everything else
//     (one byte changed, moved, cut off, of another algorithm) is [ErrAuthentication].
//   - After ShredSubject returns, this process opens nothing of the subject, and other processes open nothing after
//     [Options].SubjectTTL at the latest: caches are read again within that time, and ask the key table with consistent reads.
//   - While the master key is out of reach, what is cached goes on for at most MasterTTL. Then everything fails, closed.
//   - No error, log or printed value holds a key, a plain text, or a subject.
//
// The format is written down in docs/sealing-format.md, with a compatibility promise, and pinned by golden vectors.
//
// # Operations
//
//   - A subject is erased: ShredSubject, tell other processes by an event (they call Evict), delete blind indexes. Backups of the key table hold the keys for
//     as long as they exist: keep their window short. After one is restored, shred again by the list of references (ShredRef).
//   - A master key is replaced, or an epoch key may be known to others: RotateEpoch, wait MasterTTL, Rewrap, wait as long again, RetireEpoch. No data is touched.
//   - A subject's key may be known to others: RotateSubject, wait SubjectTTL, then Reseal the tables, those of views too, with the rows of table's DB.Sealed.
//     Run it again until nothing is left. Events in a lake keep their old key until the subject is shredded.
//   - A field is sealed that was plain text: tag it `seal:"contact,plain"`, deploy, Reseal, and take the option away when nothing is plain any more.
//   - The key table is lost: everything is lost. Its backups are the data's.
//
// # What it does not do
//
// A plain field with the tag seal is sealed where it is stored and published, and is an ordinary value in the program: fmt prints it. Print models through
// [Views], or make such fields an insideout.Sealed, which shows its value to nobody but its Reveal.
//
// An older ciphertext of the same field can be put back in its place, by whoever can write the row. A value that a view or an event carries opens under the
// origin that stands beside it: whoever can write the view or the event can put another carried value there, together with its origin, which then tells so. The length of a value
// shows. Blind indexes are keyed by the namespace, not by the subject: shredding leaves them, and an erasure must delete them.
// Go cannot promise that a key leaves the memory: caches drop keys, and the garbage collector does the rest.
package crypto

// Package lake keeps every event that was published, in a folder or in a bucket, and reads them back in time order: for replay into
// new or mended views, for audit, for finding what is known about a subject, and for erasing it.
//
// Start with [Open] for a folder or [New] for another [Store] (package cdc/lake/s3), and [Lake.Publish], which meets the port that the
// change data capture publishes to; [Lake.Events] reads, [Lake.Rewrite] erases.
//
// # Layout
//
// Events lie in REGION/yyyy/mm/dd/hh/NAME.jsonl.gz, by their own timestamp in UTC: one JSON object a line, as [insideout.Event]
// writes it, in gzip members of about a MiB. zcat reads the objects, also while they are written. In a folder NAME is a number, and
// batches are appended; elsewhere it is the time of the first event and a digest of the content, and each batch is an object. Other
// objects in the folders of hours are read too, whatever their names: compressed or not, one JSON object behind the other with or
// without line breaks, and with the envelope of EventBridge around them, as Firehose leaves them. Names that begin with "_" or "."
// are not of events. What lies elsewhere below REGION/yyyy is an error; all else in the store belongs to others.
//
// _index.jsonl.gz in the folder of an hour says for each version of each object how many events there are of each type, from when to
// when, and has short hashes of their partition keys. It is made by whoever reads by type or key and misses it, and may be removed.
// REGION/claimchecks/ has the bodies of large events, see [Lake.Claim]. In a folder, the file LAKE locks the lake for its one writer
// and lists the files that a crash may have left torn.
//
// # Guarantees
//
//   - When Publish returns nil, its events are on disk.
//   - A member is read whole or not at all. What a crash left of an unfinished batch in a folder is cut off by the next Open and
//     reported by [Lake.Torn]; damage elsewhere is an error that names object and line, never skipped and never read as something else.
//   - Delivery is at least once: a batch that was published again after an error may be there twice, with the same event ids.
//   - A rewrite replaces an object whole, if nobody has changed it meanwhile; readers see the old one or the new one.
package lake

// Package lake keeps every event that was published, in a folder, and reads them back in time order: for replay into new or
// mended views, for audit, and for finding what is known about a subject.
//
// Start with [Open] and [Lake.Publish], which meets the port that the change data capture publishes to; [Lake.Events] reads.
//
// # Layout
//
// Events lie in REGION/yyyy/mm/dd/hh/NNNNNN.jsonl.gz, by their own timestamp in UTC: one JSON object a line, as
// [insideout.Event] writes it, each batch compressed by itself and appended (a gzip file of several members). zcat reads the
// files, also while they are written. The file LAKE in the folder locks the lake for its one writer and lists the files that
// a crash may have left torn.
//
// # Guarantees
//
//   - When Publish returns nil, its events are on disk.
//   - A batch is read whole or not at all. What a crash left of an unfinished batch is cut off by the next Open and
//     reported by [Lake.Torn]; damage elsewhere in a file is an error, never skipped and never read as something else.
//   - Delivery is at least once: a batch that was published again after an error may be there twice, with the same event ids.
package lake

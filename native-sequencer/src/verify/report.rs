//! What a person, or a program that reads JSON lines, is shown of a run.

use super::{Event, Summary, VerifyError};
use indicatif::{HumanBytes, HumanCount, HumanDuration, ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::io::Write;

/// Shows a run on a terminal: what matters as lines, how far it is as one line that changes.
#[derive(Debug)]
pub struct Terminal {
    bar: ProgressBar,
}

impl Default for Terminal {
    fn default() -> Self {
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{spinner} block {pos} of {len} · {per_sec} · {msg}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Self { bar }
    }
}

impl Terminal {
    /// Shows what happened.
    pub fn show(&self, event: &Event) {
        match event {
            Event::Started { chain_id, genesis, pinned, head } => {
                self.bar.set_length(*head);
                let trust = if *pinned { "as asked for" } else { "as the server says; pin it with --genesis" };
                self.bar.println(format!("chain {chain_id}, genesis {genesis} ({trust}), head {head}"));
            }
            Event::Sealed { height } => self.bar.set_length((*height).max(self.bar.length().unwrap_or_default())),
            Event::Verified(block) => {
                self.bar.set_position(block.height);
                self.bar.set_message(format!("{} tasks, {}", block.checked, HumanBytes(block.bytes)));
            }
            Event::Certified { height } => self.bar.set_prefix(format!("attested {height}")),
            Event::Disconnected { reason, retry } => {
                self.bar.println(format!("not connected: {reason}; trying again in {} ms", retry.as_millis()));
            }
            Event::AttestationRefused { height, reason } => {
                self.bar.println(format!("attestation of block {height} refused: {reason}"));
            }
            Event::Withheld { height, what, reason } => {
                let line = format!("block {height}: {what} cannot be had ({reason}); not attested, asking again");
                self.bar.println(line);
            }
            Event::Connected | Event::Attested { .. } => {}
        }
    }

    /// Ends the line that changes.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// An event as one JSON object.
pub fn event_json(event: &Event) -> Value {
    match event {
        Event::Started { chain_id, genesis, pinned, head } => {
            json!({ "event": "started", "chainId": chain_id, "genesis": genesis, "pinned": pinned, "head": head })
        }
        Event::Connected => json!({ "event": "connected" }),
        Event::Disconnected { reason, retry } => {
            json!({ "event": "disconnected", "reason": reason, "retryMs": retry.as_millis() as u64 })
        }
        Event::Sealed { height } => json!({ "event": "sealed", "height": height }),
        Event::Verified(block) => json!({
            "event": "verified",
            "height": block.height,
            "hash": block.hash,
            "tasks": block.tasks,
            "checked": block.checked,
            "transactions": block.transactions,
            "gas": block.gas,
            "bytes": block.bytes,
        }),
        Event::Attested { height } => json!({ "event": "attested", "height": height }),
        Event::AttestationRefused { height, reason } => {
            json!({ "event": "attestationRefused", "height": height, "reason": reason })
        }
        Event::Certified { height } => json!({ "event": "certified", "height": height }),
        Event::Withheld { height, what, reason } => {
            json!({ "event": "withheld", "height": height, "what": what, "reason": reason })
        }
    }
}

/// How a run ended, as one JSON object.
pub fn result_json(result: &Result<Summary, VerifyError>) -> Value {
    match result {
        Ok(summary) => json!({
            "event": "summary",
            "height": summary.height,
            "hash": summary.hash,
            "blocks": summary.blocks,
            "tasks": summary.tasks,
            "transactions": summary.transactions,
            "gas": summary.gas,
            "bytes": summary.bytes,
            "attestations": summary.attestations,
            "certified": summary.certified,
            "elapsedMs": summary.elapsed.as_millis() as u64,
        }),
        Err(VerifyError::Fault(found)) => json!({
            "event": "fault",
            "height": found.height,
            "hash": found.hash,
            "fault": found.fault.to_string(),
            "evidence": ocelli_core::hash::keccak256(&found.evidence),
            "announced": found.announced,
            "submitted": found.submitted.iter().map(|(url, answer)| json!({ "url": url, "error": answer.as_ref().err() })).collect::<Vec<_>>(),
        }),
        Err(error) => json!({ "event": "error", "message": error.to_string() }),
    }
}

/// A summary in words.
pub fn summary_text(summary: &Summary) -> String {
    let seconds = summary.elapsed.as_secs_f64().max(0.001);
    format!(
        "verified {} blocks up to {} ({}): {} tasks, {} transactions, {} gas, {} in {} ({:.0} transactions a second)\n\
         attested up to {}; {} attestations of ours were accepted",
        HumanCount(summary.blocks),
        summary.height,
        summary.hash,
        HumanCount(summary.tasks),
        HumanCount(summary.transactions),
        HumanCount(summary.gas),
        HumanBytes(summary.bytes),
        HumanDuration(summary.elapsed),
        summary.transactions as f64 / seconds,
        summary.certified,
        summary.attestations,
    )
}

/// What a fault is, in words: which block, what in it, and where the evidence went.
pub fn fault_text(found: &super::FoundFault) -> String {
    let mut text = format!("FAULT: {found}");
    if found.announced {
        text.push_str("\n  somebody else had proved it; checked again here");
    }
    for (url, answer) in &found.submitted {
        let line = match answer {
            Ok(()) => format!("\n  evidence sent to {url}"),
            Err(reason) => format!("\n  {url} did not take the evidence: {reason}"),
        };
        text.push_str(&line);
    }
    text
}

/// Writes one JSON object as a line.
///
/// # Errors
/// Those of `out`.
pub fn write_line(out: &mut impl Write, value: &Value) -> std::io::Result<()> {
    writeln!(out, "{value}")?;
    out.flush()
}

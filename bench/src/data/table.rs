//! The figures as a section of Markdown.

use std::fmt;
use std::time::Duration;

use super::{Data, Transfer};

impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## Data, from the page cache, in MiB/s\n")?;
        writeln!(f, "| | Kiln | peer | | ratio | target |")?;
        writeln!(f, "|---|---|---|---|---|---|")?;
        for transfer in &self.transfers {
            write_transfer(f, transfer)?;
        }
        if let Some((size, took)) = self.first_byte {
            let millis = took.as_secs_f64() * 1000.0;
            writeln!(
                f,
                "\nFirst byte of an object of {} MiB in FastFile mode: {millis:.1} ms.",
                size >> 20
            )?;
        }
        writeln!(f)
    }
}

fn write_transfer(f: &mut fmt::Formatter<'_>, transfer: &Transfer) -> fmt::Result {
    let Transfer {
        what,
        bytes,
        kiln,
        peers,
    } = transfer;
    peers.iter().try_for_each(|peer| {
        let target = peer
            .target
            .map(|per_cent| ratio(f64::from(per_cent) / 100.0));
        writeln!(
            f,
            "| {what} | {:.0} | {} | {:.0} | {} | {} |",
            speed(*bytes, *kiln),
            peer.name,
            speed(*bytes, peer.took),
            ratio(peer.took.as_secs_f64() / kiln.as_secs_f64()),
            target.unwrap_or_default(),
        )
    })
}

fn speed(bytes: u64, took: Duration) -> f64 {
    bytes as f64 / f64::from(1 << 20) / took.as_secs_f64()
}

fn ratio(ratio: f64) -> String {
    format!("{ratio:.2} ×")
}

#[cfg(test)]
mod tests {
    use super::super::Peer;
    use super::*;

    #[test]
    fn a_line_says_who_is_how_fast() {
        let data = Data {
            transfers: vec![Transfer {
                what: "bytes".to_owned(),
                bytes: 100 << 20,
                kiln: Duration::from_millis(500),
                peers: vec![Peer {
                    name: "cat",
                    took: Duration::from_secs(1),
                    target: Some(80),
                }],
            }],
            first_byte: Some((10 << 20, Duration::from_millis(3))),
        };
        let text = data.to_string();
        let line = "| bytes | 200 | cat | 100 | 2.00 × | 0.80 × |";
        assert!(text.contains(line), "{text}");
        assert!(
            text.contains("of 10 MiB in FastFile mode: 3.0 ms"),
            "{text}"
        );
    }
}

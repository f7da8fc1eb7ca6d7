//! Digests of files, by the tree that BLAKE2s itself has: leaves of so many bytes each, and one
//! root over their digests. So many leaves are digested side by side, which takes a sixth of
//! the processor time of the one BLAKE2b that `b2sum` computes. Whatever knows BLAKE2s with its
//! parameters checks it, as Python does.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use blake2s_simd::many::{HashManyJob, hash_many};
use blake2s_simd::{Params, State};
#[cfg(target_arch = "x86_64")]
use pulp::x86::V4;

use super::document::FileReport;
#[cfg(target_arch = "x86_64")]
use crate::kernels::blake2s::{MESSAGES, START, States, Whole};

/// Bytes of a leaf: the root has little to do, and many are in the processor's nearer cache.
const LEAF: usize = 16 << 10;

/// Bytes of a digest.
const DIGEST: usize = 32;

/// How much of a file is looked at in one go.
const PART: usize = 256 << 10;

/// The size of a file, and its digest.
///
/// # Errors
/// When the file cannot be read, or changes meanwhile.
pub fn digest(path: &Path) -> io::Result<FileReport> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut digester = Digester::new(size);
    let mut part = vec![0; PART];
    loop {
        match file.read(&mut part)? {
            0 if digester.bytes == size => return Ok(digester.report()),
            0 => return Err(io::Error::other("the file changes while it is read")),
            read => digester.update(&part[..read]),
        }
    }
}

/// Digests a file's bytes as they pass by, from the first to the last.
#[derive(Debug)]
pub(crate) struct Digester {
    /// Bytes that the file has: the last leaf is told from the others.
    size: u64,
    /// Bytes that came.
    bytes: u64,
    /// How many leaves the root knows.
    leaves: u64,
    /// What came of the next one.
    rest: Vec<u8>,
    root: State,
}

impl Digester {
    /// Of a file of so many bytes.
    pub(crate) fn new(size: u64) -> Self {
        Self {
            size,
            bytes: 0,
            leaves: 0,
            rest: Vec::new(),
            root: params().node_depth(1).last_node(true).to_state(),
        }
    }

    /// Takes the bytes that come next.
    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if !self.rest.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(LEAF - self.rest.len()));
            self.rest.extend(now);
            bytes = later;
            if self.rest.len() == LEAF {
                let leaf = std::mem::take(&mut self.rest);
                self.take(&leaf);
            }
        }
        let (whole, rest) = bytes.split_at(bytes.len() / LEAF * LEAF);
        self.take(whole);
        self.rest.extend(rest);
    }

    /// What the file is, once all of it came.
    pub(crate) fn report(&self) -> FileReport {
        let mut root = self.root.clone();
        if !self.rest.is_empty() || self.bytes == 0 {
            let mut last = params();
            let last = last.node_offset(self.leaves).last_node(true);
            root.update(last.hash(&self.rest).as_bytes());
        }
        FileReport {
            bytes: self.bytes,
            blake2s_tree: root.finalize().to_hex().to_string(),
        }
    }

    /// Takes whole leaves.
    fn take(&mut self, leaves: &[u8]) {
        #[cfg(target_arch = "x86_64")]
        let leaves = match V4::try_new() {
            Some(token) => self.take_many(token, leaves),
            None => leaves,
        };
        self.take_any(leaves);
    }

    /// Takes leaves by [`MESSAGES`] at once, but not the file's last one, and answers the others.
    #[cfg(target_arch = "x86_64")]
    fn take_many<'a>(&mut self, token: V4, leaves: &'a [u8]) -> &'a [u8] {
        let before_last = self.size.saturating_sub(1) / LEAF as u64;
        let (groups, rest) = leaves.as_chunks::<{ MESSAGES * LEAF }>();
        for (number, group) in groups.iter().enumerate() {
            if self.leaves + MESSAGES as u64 > before_last {
                return &leaves[number * group.len()..];
            }
            let states = token.vectorize(Whole {
                token,
                states: begun(self.leaves),
                messages: group,
            });
            let mut digests = [[0; DIGEST]; MESSAGES];
            for (word, of_messages) in states.iter().enumerate() {
                for (digest, of_message) in digests.iter_mut().zip(of_messages) {
                    digest[word * 4..][..4].copy_from_slice(&of_message.to_le_bytes());
                }
            }
            self.root.update(digests.as_flattened());
            self.leaves += MESSAGES as u64;
        }
        rest
    }

    /// Takes leaves by as many at once as the processor can.
    fn take_any(&mut self, leaves: &[u8]) {
        let numbered = (self.leaves..).zip(leaves.chunks(LEAF));
        let jobs = numbered.map(|(number, leaf)| {
            let mut params = params();
            let is_last = (number + 1) * LEAF as u64 >= self.size;
            HashManyJob::new(params.node_offset(number).last_node(is_last), leaf)
        });
        let mut jobs: Vec<_> = jobs.collect();
        hash_many(&mut jobs);
        for job in &jobs {
            self.root.update(job.to_hash().as_bytes());
        }
        self.leaves += jobs.len() as u64;
    }
}

/// What all nodes of the tree have in common: leaves and, above them, the root.
fn params() -> Params {
    let mut params = Params::new();
    params
        .fanout(0)
        .max_depth(2)
        .max_leaf_length(LEAF as u32)
        .inner_hash_length(DIGEST);
    params
}

/// The states of leaves from this one on before their first bytes: the same parameters.
#[cfg(target_arch = "x86_64")]
fn begun(first: u64) -> States {
    let mut states = START.map(|word| [word; MESSAGES]);
    let numbers: [u64; MESSAGES] = std::array::from_fn(|message| first + message as u64);
    for (message, number) in numbers.into_iter().enumerate() {
        states[0][message] ^= 2 << 24 | DIGEST as u32;
        states[1][message] ^= LEAF as u32;
        states[2][message] ^= number as u32;
        states[3][message] ^= (DIGEST as u32) << 24 | (number >> 32) as u32;
    }
    states
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // What Python's hashlib makes of them, with the parameters of the tree.
    const EMPTY: &str = "ad25eb732f7403ecdc8c73f81df7597e975d355ad9d485b0e72768d97245385e";
    const SHORT: &str = "942afdd6c58b3e9576b18aa0eae931decc2dc61bbcd2ec0bfee786f472fbb9b5";
    const LONG: &str = "54c122fc49c2382ed1c0dff2c5bb194b59da43a34712a28b488fc725eb23dacc";

    #[test]
    fn a_digest_is_the_one_that_others_print() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for (content, expected) in [
            ("abc".repeat(0), EMPTY),
            ("abc".to_owned(), SHORT),
            ("abc".repeat(400_000), LONG),
        ] {
            std::fs::write(&path, &content).unwrap();
            let found = digest(&path).unwrap();
            assert_eq!(found.bytes, content.len() as u64);
            assert_eq!(found.blake2s_tree, expected);
        }
    }

    /// A tree as its definition says, leaf by leaf.
    fn tree(bytes: &[u8]) -> String {
        let last = bytes.len().saturating_sub(1) / LEAF;
        let mut root = params().node_depth(1).last_node(true).to_state();
        for number in 0..=last {
            let leaf = &bytes[number * LEAF..bytes.len().min((number + 1) * LEAF)];
            let mut params = params();
            let params = params.node_offset(number as u64).last_node(number == last);
            root.update(params.hash(leaf).as_bytes());
        }
        root.finalize().to_hex().to_string()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn leaves_side_by_side_are_what_each_is_alone(
            parts in prop::collection::vec(
                prop_oneof![0..70_usize, Just(LEAF), 0..3 * LEAF, 16 * LEAF..40 * LEAF],
                0..5,
            ),
        ) {
            let size: usize = parts.iter().sum();
            let bytes: Vec<u8> = (0..size).map(|at| ((at * 40503) >> 7) as u8).collect();
            let mut digester = Digester::new(size as u64);
            let mut begin = 0;
            for part in parts {
                digester.update(&bytes[begin..begin + part]);
                begin += part;
            }
            prop_assert_eq!(digester.report().blake2s_tree, tree(&bytes));
        }
    }
}

//! OpenSSH's files for an Ed25519 key pair, as its `PROTOCOL.key` describes them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const KIND: &[u8] = b"ssh-ed25519";
const MAGIC: &[u8] = b"openssh-key-v1\0";
/// What the length of the private part is a multiple of where no cipher says
/// otherwise.
const BLOCK: usize = 8;
/// Characters to a line of the private file.
const WIDTH: usize = 70;

/// The public key's one line.
pub(super) fn public_line(public: &[u8]) -> String {
    format!("ssh-ed25519 {}\n", STANDARD.encode(public_part(public)))
}

/// The private key's file, under no passphrase.
pub(super) fn private_file(seed: &[u8], public: &[u8]) -> String {
    let mut content = MAGIC.to_vec();
    for text in ["none", "none", ""] {
        put(&mut content, text.as_bytes());
    }
    content.extend(1_u32.to_be_bytes());
    put(&mut content, &public_part(public));
    put(&mut content, &private_part(seed, public));
    let text = STANDARD.encode(content);
    let mut file = "-----BEGIN OPENSSH PRIVATE KEY-----\n".to_owned();
    for (position, letter) in text.chars().enumerate() {
        if position > 0 && position % WIDTH == 0 {
            file.push('\n');
        }
        file.push(letter);
    }
    file.push_str("\n-----END OPENSSH PRIVATE KEY-----\n");
    file
}

fn public_part(public: &[u8]) -> Vec<u8> {
    let mut part = Vec::new();
    put(&mut part, KIND);
    put(&mut part, public);
    part
}

fn private_part(seed: &[u8], public: &[u8]) -> Vec<u8> {
    // A number twice, by which a reader sees that it has decrypted rightly.
    let mut part = vec![0; 8];
    put(&mut part, KIND);
    put(&mut part, public);
    put(&mut part, &[seed, public].concat());
    put(&mut part, b"");
    let missing = part.len().next_multiple_of(BLOCK) - part.len();
    part.extend((1..).take(missing));
    part
}

/// Adds bytes with their length before them.
fn put(content: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    content.extend(length.to_be_bytes());
    content.extend(bytes);
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use proptest::prelude::*;
    use ring::signature::{Ed25519KeyPair, KeyPair};

    use super::*;

    fn files(seed: &[u8]) -> (String, String) {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).unwrap();
        let public = pair.public_key().as_ref();
        (private_file(seed, public), public_line(public))
    }

    #[test]
    fn openssh_reads_the_private_key_and_finds_the_public_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let (private, public) = files(&[3; 32]);
        std::fs::write(&path, private).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let mut keygen = Command::new("ssh-keygen");
        let Ok(output) = keygen.arg("-y").arg("-f").arg(&path).output() else {
            return; // A machine without OpenSSH.
        };
        assert!(output.status.success(), "{output:?}");
        assert_eq!(
            String::from_utf8(output.stdout).unwrap().trim(),
            public.trim()
        );
    }

    proptest! {
        #[test]
        fn a_private_file_holds_whole_blocks_in_short_lines(seed: [u8; 32]) {
            let (private, public) = files(&seed);
            prop_assert!(private.lines().all(|line| line.len() <= WIDTH));
            let text: String = private.lines().filter(|line| !line.starts_with('-')).collect();
            let content = STANDARD.decode(text).unwrap();
            prop_assert!(content.starts_with(MAGIC));
            prop_assert!(content.windows(32).any(|bytes| bytes == seed));
            prop_assert_eq!(private_part(&seed, &[0; 32]).len() % BLOCK, 0);
            prop_assert!(public.starts_with("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"));
        }
    }
}

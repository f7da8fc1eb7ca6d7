//! What an image says of itself: its layers, in order, and its configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::super::ImageError;
use super::blobs::Blobs;
use crate::runtime::ImageConfig;

/// How deep an index may refer to further indexes.
const DEEPEST_INDEX: u32 = 4;
/// The most layers that an image may have.
const MOST_LAYERS: usize = 1_000;

/// An image that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The digest of its configuration, in hexadecimal.
    pub config_digest: String,
    /// How its containers start.
    pub config: ImageConfig,
    /// Its layers, the lowest first.
    pub layers: Vec<Layer>,
}

/// A layer of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The name of the part that it is.
    pub name: String,
    /// Its digest in hexadecimal, where the image says it.
    pub digest: Option<String>,
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    digest: String,
    #[serde(default)]
    media_type: String,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    os: String,
    architecture: String,
}

#[derive(Deserialize)]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SavedImage {
    config: String,
    layers: Vec<String>,
}

#[derive(Deserialize)]
struct Configuration {
    #[serde(default)]
    config: Option<Process>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct Process {
    #[serde(default)]
    env: Option<Vec<String>>,
    #[serde(default)]
    entrypoint: Option<Vec<String>>,
    #[serde(default)]
    cmd: Option<Vec<String>>,
    #[serde(default)]
    working_dir: Option<String>,
}

/// Reads what an image says of itself, in either form.
///
/// # Errors
/// When it is neither form, or is for another kind of machine.
pub fn read(source: &Path, blobs: &Blobs) -> Result<Image, ImageError> {
    let reader = Reader { source, blobs };
    let image = match blobs.document("index.json")? {
        Some(index) => reader.layout(&index)?,
        None => reader.saved()?,
    };
    if image.layers.len() > MOST_LAYERS {
        return Err(ImageError::TooLarge {
            limit: MOST_LAYERS as u64,
            unit: "layers",
        });
    }
    Ok(image)
}

struct Reader<'a> {
    source: &'a Path,
    blobs: &'a Blobs,
}

impl Reader<'_> {
    /// The image of an OCI layout.
    fn layout(&self, index: &[u8]) -> Result<Image, ImageError> {
        let index: Index = self.parse(index, "index.json")?;
        let manifest: Manifest = self.manifest(index, DEEPEST_INDEX)?;
        let config = self.by_digest(&manifest.config.digest)?;
        let layers = manifest.layers.iter().map(|layer| {
            let digest = self.hexadecimal(&layer.digest)?;
            Ok(Layer {
                name: blob_name(&digest),
                digest: Some(digest),
            })
        });
        Ok(Image {
            config_digest: sha256(&config),
            config: self.configuration(&config)?,
            layers: layers.collect::<Result<_, ImageError>>()?,
        })
    }

    /// The one manifest of an index that is for this machine.
    fn manifest(&self, index: Index, depth: u32) -> Result<Manifest, ImageError> {
        let mut fitting: BTreeMap<String, Descriptor> = BTreeMap::new();
        for descriptor in index.manifests.into_iter().filter(fits_this_machine) {
            fitting.insert(descriptor.digest.clone(), descriptor);
        }
        let found = fitting.len();
        let Some(chosen) = fitting.into_values().next().filter(|_| found == 1) else {
            return Err(self.wrong(match found {
                0 => "it holds no image for this kind of machine".to_owned(),
                _ => format!("it holds {found} images; save one of them alone"),
            }));
        };
        let text = self.by_digest(&chosen.digest)?;
        if !chosen.media_type.contains("index") && !chosen.media_type.contains("manifest.list") {
            return self.parse(&text, &chosen.digest);
        }
        if depth == 0 {
            return Err(ImageError::Hostile(
                "its indexes are nested too deeply".to_owned(),
            ));
        }
        self.manifest(self.parse(&text, &chosen.digest)?, depth - 1)
    }

    /// The image of a `docker save` archive.
    fn saved(&self) -> Result<Image, ImageError> {
        let text = self.part("manifest.json")?;
        let images: Vec<SavedImage> = self.parse(&text, "manifest.json")?;
        let [image] = images.as_slice() else {
            return Err(self.wrong(format!("it holds {} images instead of one", images.len())));
        };
        let config = self.part(&image.config)?;
        let layers = image.layers.iter().map(|name| Layer {
            name: name.clone(),
            digest: None,
        });
        Ok(Image {
            config_digest: sha256(&config),
            config: self.configuration(&config)?,
            layers: layers.collect(),
        })
    }

    fn configuration(&self, text: &[u8]) -> Result<ImageConfig, ImageError> {
        let configuration: Configuration = self.parse(text, "the configuration")?;
        let process = configuration.config.unwrap_or_default();
        Ok(ImageConfig {
            env: process
                .env
                .unwrap_or_default()
                .iter()
                .map(|pair| variable(pair))
                .collect(),
            entrypoint: process.entrypoint.unwrap_or_default(),
            command: process.cmd.unwrap_or_default(),
            working_dir: process
                .working_dir
                .filter(|path| !path.is_empty())
                .map(PathBuf::from),
        })
    }

    fn by_digest(&self, digest: &str) -> Result<Vec<u8>, ImageError> {
        let expected = self.hexadecimal(digest)?;
        let text = self.part(&blob_name(&expected))?;
        if sha256(&text) == expected {
            return Ok(text);
        }
        Err(self.wrong(format!("{digest} is damaged")))
    }

    fn part(&self, name: &str) -> Result<Vec<u8>, ImageError> {
        self.blobs
            .document(name)?
            .ok_or_else(|| self.wrong(format!("{name} is missing")))
    }

    /// The hexadecimal half of a digest, which becomes part of a path.
    fn hexadecimal(&self, digest: &str) -> Result<String, ImageError> {
        let hex = digest.strip_prefix("sha256:").unwrap_or_default();
        let is_hex = hex
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_hex && hex.len() == 64 {
            return Ok(hex.to_owned());
        }
        Err(self.wrong(format!("{digest:?} is no SHA-256 digest")))
    }

    fn parse<T: DeserializeOwned>(&self, text: &[u8], name: &str) -> Result<T, ImageError> {
        serde_json::from_slice(text)
            .map_err(|error| self.wrong(format!("{name} cannot be understood: {error}")))
    }

    fn wrong(&self, reason: String) -> ImageError {
        ImageError::NotAnImage {
            path: self.source.to_owned(),
            reason,
        }
    }
}

fn fits_this_machine(descriptor: &Descriptor) -> bool {
    descriptor.platform.as_ref().is_none_or(|platform| {
        platform.os == "linux" && platform.architecture == architecture(std::env::consts::ARCH)
    })
}

/// A processor's name as images write it.
fn architecture(name: &str) -> &str {
    match name {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn variable(pair: &str) -> (String, String) {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    (name.to_owned(), value.to_owned())
}

fn blob_name(hex: &str) -> String {
    format!("blobs/sha256/{hex}")
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

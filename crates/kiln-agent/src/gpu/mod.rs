//! The machine's NVIDIA GPUs: which there are, and what a container needs to use
//! some of them. Everything is looked up below a root directory, `/` but in tests.

mod driver;
mod loader_cache;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub use driver::{Driver, MOUNT_POINT};

/// Where the driver's kernel module tells of the GPUs that it drives.
const KNOWN: &str = "proc/driver/nvidia/gpus";
/// The devices that all GPUs share, as far as they are present.
const SHARED: [&str; 4] = [
    "nvidiactl",
    "nvidia-uvm",
    "nvidia-uvm-tools",
    "nvidia-modeset",
];

/// A GPU that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// The number in the name of its device: 0 for `/dev/nvidia0`.
    pub number: u32,
    /// Its name all over the world, such as `GPU-5fd4a7c2-…`, where the driver
    /// tells it.
    pub uuid: Option<String>,
}

/// A device of the host that a container may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its path, on the host and in the container.
    pub path: PathBuf,
    /// By which number the kernel knows its driver.
    pub major: u64,
    /// By which number the driver knows it.
    pub minor: u64,
}

/// The GPUs of the machine, in the order of their numbers: those that have a
/// device and that the driver knows, unless it does not say what it knows.
#[must_use]
pub fn present(root: &Path) -> Vec<Gpu> {
    let known = known(root);
    let numbers = device_numbers(root).into_iter();
    let all = numbers.map(|number| Gpu {
        number,
        uuid: known
            .as_ref()
            .and_then(|all| all.get(&number)?.uuid.clone()),
    });
    all.filter(|gpu| {
        known
            .as_ref()
            .is_none_or(|all| all.contains_key(&gpu.number))
    })
    .collect()
}

/// What `NVIDIA_VISIBLE_DEVICES` says to a container that has these GPUs.
#[must_use]
pub fn visible_devices(ids: &[String]) -> String {
    if ids.is_empty() {
        return "void".to_owned();
    }
    ids.join(",")
}

/// The names by which container engines and the driver's own programs know these
/// GPUs: their names all over the world, or else the numbers that those have for
/// them. They count in the order of addresses on the bus, and the kernel in the
/// order in which it found them.
#[must_use]
pub fn ids(root: &Path, numbers: &[u32]) -> Vec<String> {
    let known = known(root).unwrap_or_default();
    let numbers_there = device_numbers(root);
    let id = |number: &u32| match known.get(number) {
        Some(Known {
            uuid: Some(uuid), ..
        }) => uuid.clone(),
        Some(own) => {
            let before = known.values().filter(|one| one.address < own.address);
            before.count().to_string()
        }
        // A driver that does not say what it knows.
        None => {
            let before = numbers_there.iter().filter(|one| *one < number);
            before.count().to_string()
        }
    };
    numbers.iter().map(id).collect()
}

/// The devices that a container needs to use these GPUs; none without any.
///
/// # Errors
/// When one of them is not there any more.
pub fn devices(root: &Path, numbers: &[u32]) -> io::Result<Vec<Device>> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let own = numbers.iter().map(|number| format!("nvidia{number}"));
    let shared = SHARED.map(str::to_owned).into_iter();
    let shared = shared.filter(|name| root.join("dev").join(name).exists());
    own.chain(shared).map(|name| device(root, &name)).collect()
}

fn device(root: &Path, name: &str) -> io::Result<Device> {
    let path = Path::new("/dev").join(name);
    let found = fs::metadata(root.join("dev").join(name));
    let found = found.map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("looking at {}: {error}", path.display()),
        )
    })?;
    Ok(Device {
        path,
        major: libc::major(found.rdev()).into(),
        minor: libc::minor(found.rdev()).into(),
    })
}

/// The numbers of the devices of single GPUs, in order.
fn device_numbers(root: &Path) -> Vec<u32> {
    let entries = fs::read_dir(root.join("dev")).into_iter().flatten();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut numbers: Vec<u32> = names.filter_map(|name| device_number(&name)).collect();
    numbers.sort_unstable();
    numbers
}

fn device_number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("nvidia")?;
    let is_plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| digits.parse().ok()).flatten()
}

/// What the driver says of a GPU.
struct Known {
    uuid: Option<String>,
    /// Its place on the bus, such as `0000:07:00.0`.
    address: OsString,
}

/// The GPUs that the driver knows, by their numbers; `None` when it does not say.
fn known(root: &Path) -> Option<BTreeMap<u32, Known>> {
    let entries = fs::read_dir(root.join(KNOWN)).ok()?;
    let all = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let text = fs::read_to_string(entry.path().join("information")).ok()?;
        let (number, uuid) = identity(&text)?;
        let address = entry.file_name();
        Some((number, Known { uuid, address }))
    });
    Some(all.collect())
}

/// The number and the name of a GPU, as the driver's lines of `name: value` have
/// them. A name is a row of question marks until the GPU has been used.
fn identity(information: &str) -> Option<(u32, Option<String>)> {
    let value = |wanted: &str| {
        let pairs = information.lines().filter_map(|line| line.split_once(':'));
        let mut values = pairs.filter(|(name, _)| name.trim() == wanted);
        values.next().map(|(_, value)| value.trim())
    };
    let number = value("Device Minor")?.parse().ok()?;
    let uuid = value("GPU UUID").filter(|uuid| uuid.starts_with("GPU-") && !uuid.contains('?'));
    Some((number, uuid.map(str::to_owned)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Numbers and names of GPUs, as the driver says them.
    type Informed<'a> = Option<&'a [(&'a str, &'a str)]>;

    /// A root with these devices, and with what the driver says of each GPU.
    fn machine(devices: &[&str], informed: Informed) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("dev")).unwrap();
        for name in devices {
            fs::write(root.path().join("dev").join(name), "").unwrap();
        }
        for (number, uuid) in informed.into_iter().flatten() {
            let address = format!("0000:0{number}:00.0");
            inform(root.path(), &address, number.parse().unwrap(), uuid);
        }
        root
    }

    /// Has the driver say this of a GPU.
    fn inform(root: &Path, address: &str, number: u32, uuid: &str) {
        let place = root.join(KNOWN).join(address);
        fs::create_dir_all(&place).unwrap();
        let text = format!(
            "Model: \t\t NVIDIA A100-SXM4-40GB\nIRQ:   \t\t 46\nGPU UUID: \t {uuid}\n\
             Bus Location: \t {address}\nDevice Minor: \t {number}\nGPU Excluded:\t No\n"
        );
        fs::write(place.join("information"), text).unwrap();
    }

    fn numbers(root: &Path) -> Vec<u32> {
        present(root).iter().map(|gpu| gpu.number).collect()
    }

    #[test]
    fn gpus_have_a_device_and_are_known_to_the_driver() {
        let nodes = ["nvidia10", "nvidia2", "nvidia0", "nvidiactl", "nvidia-uvm"];
        let others = ["null", "nvidia", "nvidia0p1", "nvidia-caps", "nvidia+1"];
        let unknown = "GPU-????????-????-????-????-????????????";
        let cases: [(&[&str], Informed, &[u32]); 4] = [
            (&[], None, &[]),
            (&others, None, &[]),
            (&nodes, None, &[0, 2, 10]),
            (
                &nodes,
                Some(&[("2", "GPU-b"), ("0", unknown), ("7", "GPU-c")]),
                &[0, 2],
            ),
        ];
        for (devices, informed, expected) in cases {
            let root = machine(devices, informed);
            assert_eq!(numbers(root.path()), expected, "{devices:?}");
        }
        assert!(numbers(Path::new("/nowhere")).is_empty());
    }

    #[test]
    fn gpus_have_names_or_else_their_rank_on_the_bus() {
        let unknown = "GPU-????????-????-????-????-????????????";
        let root = machine(&["nvidia0", "nvidia1", "nvidia3"], None);
        for (address, number, uuid) in [
            ("0000:65:00.0", 0, unknown),
            ("0000:b3:00.0", 1, "GPU-b"),
            ("0000:17:00.0", 3, unknown),
        ] {
            inform(root.path(), address, number, uuid);
        }
        assert_eq!(ids(root.path(), &[1, 0, 3]), ["GPU-b", "1", "0"]);
        assert_eq!(ids(root.path(), &[]), Vec::<String>::new());
        let silent = machine(&["nvidia0", "nvidia2"], None);
        assert_eq!(ids(silent.path(), &[0, 2]), ["0", "1"]);
    }

    #[test]
    fn a_container_is_told_what_it_has() {
        assert_eq!(visible_devices(&[]), "void");
        assert_eq!(visible_devices(&["0".to_owned(), "3".to_owned()]), "0,3");
    }

    #[test]
    fn a_container_gets_its_own_devices_and_those_that_all_share() {
        let root = machine(
            &["nvidia0", "nvidia1", "nvidia2", "nvidiactl", "nvidia-uvm"],
            None,
        );
        let paths = |numbers: &[u32]| {
            let all = devices(root.path(), numbers).unwrap();
            let paths = all.iter().map(|device| device.path.display().to_string());
            paths.collect::<Vec<_>>()
        };
        let expected = [
            "/dev/nvidia0",
            "/dev/nvidia2",
            "/dev/nvidiactl",
            "/dev/nvidia-uvm",
        ];
        assert_eq!(paths(&[0, 2]), expected);
        assert!(paths(&[]).is_empty());
        let gone = devices(root.path(), &[0, 3]).unwrap_err();
        assert!(gone.to_string().contains("/dev/nvidia3"), "{gone}");
    }

    #[test]
    fn devices_are_known_by_the_numbers_of_the_kernel() {
        let null = device(Path::new("/"), "null").unwrap();
        assert_eq!((null.major, null.minor), (1, 3));
    }

    proptest! {
        #[test]
        fn whatever_the_driver_says_is_read_or_left(text in ".*", number in 0u32..99) {
            let _ = identity(&text);
            let said = format!("Device Minor: {number}\n{text}");
            prop_assert_eq!(identity(&said).map(|(number, _)| number), Some(number));
        }
    }
}

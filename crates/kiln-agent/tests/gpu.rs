//! Containers of the embedded runtime that have GPUs, on a machine that is made to
//! look as if it had some: harmless devices under the names of GPUs, and a driver
//! of empty files. Needs root.

#![allow(clippy::unwrap_used)]

mod sandbox;

use std::fs;
use std::path::Path;

use kiln_agent::runtime::{Exit, Root, RuntimeError};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use sandbox::Sandbox;

/// What containers are made with, and devices that are none of those which every
/// container may use: those of the kernel's log.
const DEVICES: [(&str, u64, u64); 10] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
    ("net/tun", 10, 200),
    ("nvidia0", 1, 11),
    ("nvidia1", 1, 11),
    ("nvidiactl", 1, 11),
];

#[test]
fn a_container_has_its_own_gpus_and_no_others() {
    let (exit, output) = with_gpus(async |driver: &Path| {
        let script = format!(
            "ls /dev | grep nvidia; stat -c '%a %t:%T' /dev/nvidia1; : > /dev/nvidia1; \
             echo $? $NVIDIA_VISIBLE_DEVICES ${{CUDA_VISIBLE_DEVICES-unset}}; ls {}",
            driver.display()
        );
        having(&[1], Sandbox::new(&script)).run().await
    });
    let expected = "nvidia1\nnvidiactl\n666 1:b\n0 1 unset\nlibcuda.so.1\n";
    assert_eq!((exit, output.as_str()), (Exit::Code(0), expected));
}

#[test]
fn a_container_without_gpus_has_nothing_of_them() {
    let (_, output) = with_gpus(async |driver: &Path| {
        let script = format!(
            "ls /dev | grep nvidia; ls {} 2>/dev/null; echo $NVIDIA_VISIBLE_DEVICES",
            driver.display()
        );
        let mut sandbox = Sandbox::new(&script);
        let asked = ("NVIDIA_VISIBLE_DEVICES".to_owned(), "all".to_owned());
        sandbox.container.env.push(asked);
        sandbox.run().await
    });
    assert_eq!(output, "void\n");
}

#[test]
fn an_image_is_led_to_the_driver() {
    let (exit, output) = with_gpus(async |_| {
        let image = tempfile::tempdir().unwrap();
        unpack_shell(image.path());
        let script = "echo /usr/local/nvidia/*/*; echo $LD_LIBRARY_PATH $PATH; \
                      : > /dev/nvidia0; echo $?; \
                      (: > /usr/local/nvidia/lib64/libcuda.so.1) 2>/dev/null || echo kept";
        let words = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        let root = Root::Directory(image.path().to_owned());
        let mut sandbox = having(&[0], Sandbox::of(root, words));
        let own = ("LD_LIBRARY_PATH".to_owned(), "/own".to_owned());
        sandbox.container.env.push(own);
        let ended = sandbox.run().await;
        assert!(sandbox.leftovers().is_empty(), "{:?}", sandbox.leftovers());
        ended
    });
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(exit, Exit::Code(0), "{output}");
    assert_eq!(lines[0], "/usr/local/nvidia/lib64/libcuda.so.1");
    let variables = "/usr/local/nvidia/lib64:/own /usr/local/nvidia/bin:/usr/local/sbin:";
    assert!(lines[1].starts_with(variables), "{output}");
    assert_eq!(lines[2..], ["0", "kept"]);
}

#[test]
fn a_gpu_that_is_gone_is_named() {
    let refused = with_gpus(async |_| {
        let started = having(&[7], Sandbox::new("exit 0")).start().await;
        started.map(drop).unwrap_err()
    });
    assert!(matches!(refused, RuntimeError::Machine(_)), "{refused}");
    assert!(refused.to_string().contains("/dev/nvidia7"), "{refused}");
}

fn having(gpus: &[u32], mut sandbox: Sandbox) -> Sandbox {
    sandbox.container.gpus = gpus.to_vec();
    sandbox
}

/// Goes on in a mount table apart, where the machine seems to have GPUs, given the
/// directory of their driver.
fn with_gpus<T: Send + 'static>(work: impl AsyncFnOnce(&Path) -> T + Send + 'static) -> T {
    let thread = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
        let files = tempfile::tempdir().unwrap();
        let driver = files.path().join("driver");
        pretend_driver(&driver, &files.path().join("ld.so.cache"));
        pretend_devices();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(work(&driver))
    });
    thread.join().unwrap()
}

/// Puts devices of our choice into `/dev`.
fn pretend_devices() {
    let kind = Some("tmpfs");
    mount(kind, "/dev", kind, MsFlags::empty(), None::<&str>).unwrap();
    fs::create_dir("/dev/net").unwrap();
    for (name, major, minor) in DEVICES {
        let path = Path::new("/dev").join(name);
        let mode = Mode::from_bits_truncate(0o666);
        mknod(&path, SFlag::S_IFCHR, mode, makedev(major, minor)).unwrap();
    }
}

/// Installs a driver whose only library is the only one that the loader knows.
fn pretend_driver(directory: &Path, cache: &Path) {
    let library = directory.join("libcuda.so.1");
    fs::create_dir(directory).unwrap();
    fs::write(&library, "").unwrap();
    fs::write(cache, loader_cache("libcuda.so.1", &library)).unwrap();
    let bind = MsFlags::MS_BIND;
    mount(
        Some(cache),
        "/etc/ld.so.cache",
        None::<&str>,
        bind,
        None::<&str>,
    )
    .unwrap();
}

/// A cache of the dynamic loader that holds one library: a header of 48 bytes, an
/// entry of 24 with the places of two texts, and the texts.
fn loader_cache(name: &str, path: &Path) -> Vec<u8> {
    let kind: u32 = if cfg!(target_arch = "aarch64") {
        0x0a03
    } else {
        0x0303
    };
    let texts = format!("{name}\0{}\0", path.display());
    let places = [kind, 72, 72 + name.len() as u32 + 1];
    let mut cache = b"glibc-ld.so.cache1.1".to_vec();
    cache.extend(
        [1, texts.len() as u32]
            .into_iter()
            .flat_map(u32::to_ne_bytes),
    );
    cache.resize(48, 0);
    cache.extend(places.into_iter().flat_map(u32::to_ne_bytes));
    cache.resize(72, 0);
    [cache, texts.into_bytes()].concat()
}

/// An image with a shell in it.
fn unpack_shell(root: &Path) {
    let listed = std::process::Command::new("ldd").arg("/bin/sh").output();
    let text = String::from_utf8(listed.unwrap().stdout).unwrap();
    let libraries = text
        .split_whitespace()
        .filter(|word| word.starts_with("/lib"));
    for file in libraries.chain(["/bin/sh"]) {
        let target = root.join(file.trim_start_matches('/'));
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(file, target).unwrap();
    }
}

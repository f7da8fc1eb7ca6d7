//! Making parts: the sources are laid out, the steps are taken, and the
//! products are kept.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::recipe::{Recipe, Step};
use super::{Kind, PartsError, Toolchain};
use crate::target::Platform;

/// Makes a platform's parts in `home`, which is created. `log` is told each
/// step before it is taken. Nothing but the parts is left there.
pub fn make(
    toolchain: &Toolchain,
    platform: &Platform,
    kind: Kind,
    home: &Path,
    log: &(dyn Fn(&str) + Sync),
) -> Result<(), PartsError> {
    toolchain.check_version()?;
    std::fs::create_dir_all(home).map_err(PartsError::io(format!("Making {}", home.display())))?;
    let room = tempfile::Builder::new()
        .prefix(".making-")
        .tempdir_in(home)
        .map_err(PartsError::io("Making a folder to build in"))?;
    let recipe = kind.recipe(platform);
    lay_out(&recipe, room.path())?;
    for stage in &recipe.stages {
        take_all(toolchain, stage, room.path(), log)?;
    }
    for product in &recipe.products {
        let keeping = PartsError::io(format!("Keeping {product}"));
        std::fs::rename(room.path().join(product), home.join(product)).map_err(keeping)?;
    }
    Ok(())
}

fn lay_out(recipe: &Recipe, room: &Path) -> Result<(), PartsError> {
    for source in &recipe.sources {
        let path = room.join(&source.path);
        let writing = || PartsError::io(format!("Writing {}", source.path));
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(writing())?;
        }
        std::fs::write(path, &source.bytes).map_err(writing())?;
    }
    Ok(())
}

/// Takes a stage's steps on all processors, and stops at the first failure.
fn take_all(
    toolchain: &Toolchain,
    steps: &[Step],
    room: &Path,
    log: &(dyn Fn(&str) + Sync),
) -> Result<(), PartsError> {
    let next = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    let work = || {
        while let Some(step) = steps.get(next.fetch_add(1, Ordering::Relaxed)) {
            log(&step.what);
            if let Err(error) = toolchain.run(&step.what, &step.arguments, room) {
                next.store(steps.len(), Ordering::Relaxed);
                if let Ok(mut failure) = failure.lock() {
                    failure.get_or_insert(error);
                }
            }
        }
    };
    let processors = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    thread::scope(|scope| {
        for _ in 0..processors.min(steps.len()) {
            scope.spawn(work);
        }
    });
    match failure.into_inner() {
        Ok(Some(error)) => Err(error),
        _ => Ok(()),
    }
}

//! Where the record of pulls is kept when `ECS_DATADIR` does not say.

use std::path::{Path, PathBuf};

/// The state directory of this platform: below `XDG_STATE_HOME` where that is an absolute path, else `/var/lib` for
/// root and `.local/state` in the home directory for everybody else. `None` where none of them is known: then nothing
/// is remembered.
///
/// Rules: <https://specifications.freedesktop.org/basedir/latest/> and
/// <https://refspecs.linuxfoundation.org/FHS_3.0/fhs/ch05s08.html>.
pub(crate) fn directory(state_home: Option<String>, home: Option<String>) -> Option<PathBuf> {
    choose(state_home, home, is_root())
}

fn choose(state_home: Option<String>, home: Option<String>, is_root: bool) -> Option<PathBuf> {
    let absolute = |path: Option<String>| path.map(PathBuf::from).filter(|path| path.is_absolute());
    absolute(state_home)
        .or_else(|| is_root.then(|| Path::new("/var/lib").to_owned()))
        .or_else(|| absolute(home).map(|home| home.join(".local/state")))
        .map(|state| state.join("ecs-pull"))
}

#[cfg(unix)]
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_users_choice_then_the_platforms() {
        for (state_home, home, is_root, expected) in [
            (Some("/s"), Some("/home/a"), false, Some("/s/ecs-pull")),
            (Some("/s"), Some("/root"), true, Some("/s/ecs-pull")),
            // The specification has relative paths ignored.
            (Some("s"), Some("/root"), true, Some("/var/lib/ecs-pull")),
            (None, Some("/root"), true, Some("/var/lib/ecs-pull")),
            (
                None,
                Some("/home/a"),
                false,
                Some("/home/a/.local/state/ecs-pull"),
            ),
            (None, Some("a"), false, None),
            (None, None, false, None),
        ] {
            let chosen = choose(state_home.map(str::to_owned), home.map(str::to_owned), is_root);
            assert_eq!(
                chosen.as_deref(),
                expected.map(Path::new),
                "{state_home:?} {home:?} {is_root}"
            );
        }
    }
}

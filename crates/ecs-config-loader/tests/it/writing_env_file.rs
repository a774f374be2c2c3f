//! An `ecs.config` that gets imported credentials: what stays, who may read it, what happens when it cannot be written.

use ecs_config_loader::write_env_file;
use ecs_registry_auth::Origin;

use crate::importing::{LOGGED_IN, import};

#[tokio::test]
async fn the_rest_of_the_file_stays_byte_for_byte() {
    let imported = import(r#"{"auths": {"ghcr.io": {"auth": "YTpi"}}}"#, None).await;
    let settings = "ECS_ENGINE_AUTH_TYPE=dockercfg\nECS_ENGINE_AUTH_DATA={\"ghcr.io\":{\"auth\":\"YTpi\"}}\n";
    let windows = settings.replace('\n', "\r\n");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ecs.config");
    let case = |before: &[u8], after: String| (before.to_vec(), after.into_bytes());
    let mut cases = vec![
        case(b"", settings.to_owned()),
        case(b"ECS_CLUSTER=a", format!("ECS_CLUSTER=a\n{settings}")),
        case(b"\n# note\nECS_CLUSTER=a \n", format!("\n# note\nECS_CLUSTER=a \n{settings}")),
        case(
            b"A=1\nECS_ENGINE_AUTH_TYPE=docker\nB=2\nECS_ENGINE_AUTH_DATA={}\nECS_ENGINE_AUTH_DATA={}",
            format!("A=1\n{settings}B=2\n"),
        ),
        case(
            b"A=1\n  ECS_ENGINE_AUTH_DATA_KMS=x\nECS_ENGINE_AUTH_KMS_KEY=y\nB=2",
            format!("A=1\n{settings}B=2"),
        ),
        case(b"A=1\r\nECS_ENGINE_AUTH_TYPE=\r\nB=2\r\n", format!("A=1\r\n{windows}B=2\r\n")),
        case(b"\xef\xbb\xbfECS_ENGINE_AUTH_TYPE=docker\n", format!("\u{feff}{settings}")),
        // None of these is the setting for the readers of the file.
        case(
            b"#ECS_ENGINE_AUTH_TYPE=a\nexport ECS_ENGINE_AUTH_TYPE=a\nECS_ENGINE_AUTH_TYPE =a\nECS_ENGINE_AUTH_TYPE\n",
            format!(
                "#ECS_ENGINE_AUTH_TYPE=a\nexport ECS_ENGINE_AUTH_TYPE=a\nECS_ENGINE_AUTH_TYPE =a\nECS_ENGINE_AUTH_TYPE\n{settings}"
            ),
        ),
    ];
    cases.push((b"A=\xff\n".to_vec(), [b"A=\xff\n", settings.as_bytes()].concat()));
    for (before, after) in cases {
        std::fs::write(&path, &before).unwrap();
        write_env_file(&path, &imported).unwrap();
        let found = std::fs::read(&path).unwrap();
        assert_eq!(String::from_utf8_lossy(&found), String::from_utf8_lossy(&after));
        assert_eq!(found, after);
        // Once more changes nothing.
        write_env_file(&path, &imported).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), after);
    }
    let left = std::fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(left, 1, "no temporary file stays");
}

#[tokio::test]
async fn the_file_is_readable_by_its_owner_alone_and_keeps_its_links() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    let imported = import(LOGGED_IN, None).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ecs.config");
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();

    write_env_file(&path, &imported).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);

    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    // Only root can give a file away, and then it stays given away.
    let is_root = std::os::unix::fs::chown(&path, Some(12345), Some(54321)).is_ok();
    let before = path.metadata().unwrap();
    write_env_file(&link, &imported).unwrap();
    let after = path.metadata().unwrap();
    assert_ne!(before.ino(), after.ino(), "the file is replaced as a whole");
    assert_eq!(after.permissions().mode() & 0o777, 0o600);
    assert_eq!(
        (before.uid(), before.gid()),
        (after.uid(), after.gid()),
        "root: {is_root}"
    );
    assert!(link.symlink_metadata().unwrap().is_symlink());
}

#[tokio::test]
async fn what_cannot_be_written_stays_as_it_was_and_says_why() {
    let imported = import(LOGGED_IN, None).await;
    let directory = tempfile::tempdir().unwrap();
    for (path, message, next_step) in [
        (
            directory.path().join("missing/ecs.config"),
            "it cannot be written: No such file",
            "create the directory first",
        ),
        (
            directory.path().to_owned(),
            "it cannot be written: it is not a regular file",
            "name a regular file in a directory that can be written",
        ),
    ] {
        let errors = write_env_file(&path, &imported).unwrap_err();
        let finding = &errors.findings()[0];
        assert!(finding.message.starts_with(message), "{finding}");
        assert_eq!(finding.next_step.as_deref(), Some(next_step));
        assert_eq!(finding.place, Origin::file(path));
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

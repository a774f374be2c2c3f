//! Nothing is left behind, however a program that started parts comes to its end.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use integration::{Engine, Part};

/// Every process of the machine whose command line names `directory`.
fn processes_of(directory: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        // Processes end while they are listed.
        let Ok(command_line) = fs::read(entry?.path().join("cmdline")) else {
            continue;
        };
        let command_line = String::from_utf8_lossy(&command_line).replace('\0', " ");
        if command_line.contains(&directory.display().to_string()) {
            found.push(command_line);
        }
    }
    Ok(found)
}

fn mounts_of(directory: &Path) -> Result<Vec<String>> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let directory = directory.display().to_string();
    Ok(mounts
        .lines()
        .filter(|line| line.contains(&directory))
        .map(str::to_owned)
        .collect())
}

fn directory_of_socket(host: &str) -> Result<PathBuf> {
    let socket = Path::new(host.trim_start_matches("unix://"));
    Ok(socket
        .parent()
        .context("a socket without a directory")?
        .to_owned())
}

fn is_gone(directory: &Path) -> Result<bool> {
    Ok(!directory.exists() && processes_of(directory)?.is_empty() && mounts_of(directory)?.is_empty())
}

#[tokio::test]
async fn a_dropped_part_takes_its_processes_mounts_and_files_with_it() -> Result<()> {
    let engine = Engine::start(&[]).await?;
    let directory = directory_of_socket(engine.host())?;
    assert!(
        processes_of(&directory)?
            .iter()
            .any(|command| command.contains("containerd"))
    );
    assert_eq!(
        mounts_of(&directory)?,
        Vec::<String>::new(),
        "the engine's mounts are its own"
    );
    drop(engine);
    assert!(is_gone(&directory)?);
    Ok(())
}

#[test]
fn a_panic_takes_the_parts_with_it() -> Result<()> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let part = Part::new("panic").expect("no directory");
        sender.send(part.directory().to_owned()).expect("nobody listens");
        panic!("on purpose");
    });
    assert!(thread.join().is_err());
    assert!(is_gone(&receiver.recv()?)?);
    Ok(())
}

#[test]
fn a_killed_program_takes_the_parts_with_it() -> Result<()> {
    for signal in ["KILL", "TERM", "INT"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tour"))
            .arg("--parts")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        let mut value_of = |name: &str| {
            let prefix = format!("export {name}=");
            lines
                .find_map(|line| line.ok()?.strip_prefix(&prefix).map(str::to_owned))
                .context("no parts")
        };
        let engine = directory_of_socket(&value_of("DOCKER_HOST")?)?;
        let files = PathBuf::from(value_of("HOME")?);
        assert!(files.join("task-definition.json").is_file());
        assert!(!processes_of(&engine)?.is_empty());

        let killed = Command::new("kill")
            .args([&format!("-{signal}"), &child.id().to_string()])
            .status()?;
        assert!(killed.success());
        child.wait()?;
        let deadline = Instant::now() + Duration::from_secs(20);
        while !(is_gone(&files)? && is_gone(&engine)?) {
            assert!(
                Instant::now() < deadline,
                "SIG{signal}: {:?} remain",
                processes_of(&engine)?
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    Ok(())
}

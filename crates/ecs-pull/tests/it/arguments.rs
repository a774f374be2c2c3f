//! Arguments, exit codes, and what goes where.

use crate::support::Sandbox;

#[test]
fn usage_errors_are_2() {
    for arguments in [
        &["pull"][..],
        &["pull", "app", "-f", "task.json"],
        &["pull", "app", "--container", "web"],
        &["pull", "app", "--platform", "linux"],
        &["pull", "app", "--caller-credentials", "--external-id", "x"],
        &["pull", "-f", "-", "--execution-credentials", "-"],
        &["pull", "app", "--pull-behavior", "sometimes"],
        &["check", "app", "--pull-behavior", "once"],
        &["frobnicate"],
        &["--output", "yaml", "pull", "app"],
        &["-q", "-v", "pull", "app"],
        &[],
    ] {
        let run = Sandbox::new().run(arguments);
        assert_eq!(run.code, 2, "{arguments:?}\n{}{}", run.stdout, run.stderr);
        assert!(run.stdout.is_empty(), "{arguments:?}\n{}", run.stdout);
        assert!(!run.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn help_goes_to_stdout_and_has_examples() {
    for command in [
        &["--help"][..],
        &["pull", "--help"],
        &["check", "--help"],
        &["config", "import", "--help"],
    ] {
        let run = Sandbox::new().run(command);
        assert_eq!(run.code, 0);
        assert!(run.stdout.contains("Example"), "{}", run.stdout);
        assert!(run.stderr.is_empty());
    }
}

#[test]
fn an_unknown_container_is_usage_and_names_the_known_ones() {
    let sandbox = Sandbox::new();
    let definition = sandbox.file(
        "task.json",
        r#"{"containerDefinitions": [{"name": "web", "image": "example.com/app"}]}"#,
    );
    let run = sandbox.run(["pull", "-f", definition.to_str().unwrap(), "--container", "wbe"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("did you mean \"web\"?"), "{}", run.stderr);
}

#[test]
fn a_document_that_cannot_be_used_is_3_with_its_place() {
    let sandbox = Sandbox::new();
    for (content, expected) in [
        (
            "{\n  \"containerDefinitions\": [\n    {\"name\": \"web\"}\n  ]\n}",
            "task.json:3",
        ),
        ("{\"containerDefinitions\": [}", "task.json:1"),
        ("family: web\ncontainerDefinitions:\n  - name: web\n", "YAML"),
    ] {
        let definition = sandbox.file("task.json", content);
        let run = sandbox.run(["--output", "json", "pull", "-f", definition.to_str().unwrap()]);
        assert_eq!(run.code, 3, "{content}");
        assert!(run.stderr.contains(expected), "{content}\n{}", run.stderr);
        assert!(run.stderr.contains("next:"), "{content}\n{}", run.stderr);
        assert_eq!(run.json()["ok"], false);
    }
    let run = sandbox.run(["pull", "-f", "/nonexistent/task.json"]);
    assert_eq!(run.code, 3);
    assert!(
        run.stderr.contains("/nonexistent/task.json: cannot be read"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_password_in_front_of_an_image_is_not_shown() {
    // Without an engine a pull comes to nothing, and its report names the image all the same.
    for (command, code, expected) in [
        ("pull", 7, ""),
        ("check", 7, ""),
        ("explain", 3, "change the password"),
    ] {
        for output in ["text", "json"] {
            let sandbox = Sandbox::new();
            let socket = format!("unix://{}", sandbox.path("absent.sock").display());
            let image = "alice:hunter2@registry.example.com/app";
            let run = sandbox.run(["--output", output, "--docker-host", &socket, command, image]);
            let all = format!("{}{}", run.stdout, run.stderr);
            assert_eq!(run.code, code, "{command}\n{all}");
            assert!(!all.contains("hunter2"), "{command}\n{all}");
            assert!(all.contains(expected), "{command}\n{all}");
            if output == "json" {
                assert!(
                    all.contains("\"[redacted]@registry.example.com/app\""),
                    "{command}\n{all}"
                );
            }
        }
    }
}

#[test]
fn an_unreachable_engine_is_7_for_every_container() {
    let sandbox = Sandbox::new();
    let socket = format!("unix://{}", sandbox.path("absent.sock").display());
    let run = sandbox.run([
        "--output",
        "json",
        "--docker-host",
        &socket,
        "pull",
        "example.com/a",
        "example.com/b",
    ]);
    assert_eq!(run.code, 7);
    let report = run.json();
    assert_eq!(report["ok"], false);
    for index in 0..2 {
        assert_eq!(
            report["containers"][index]["error"]["name"],
            "CannotGetDockerclientError"
        );
    }
    assert!(run.stderr.contains("absent.sock"), "{}", run.stderr);
}

#[test]
fn an_engine_address_that_is_none_is_3() {
    let run = Sandbox::new().run(["--docker-host", "gopher://engine", "pull", "example.com/a"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stderr.contains("--docker-host"), "{}", run.stderr);
}

#[test]
fn completions_and_manual_page_are_printed() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = Sandbox::new().run(["completions", shell]);
        assert_eq!(run.code, 0);
        assert!(run.stdout.contains("ecs-pull"), "{shell}");
    }
    let run = Sandbox::new().run(["man"]);
    assert_eq!(run.code, 0);
    assert!(run.stdout.contains(".TH ecs-pull"), "{}", run.stdout);
}

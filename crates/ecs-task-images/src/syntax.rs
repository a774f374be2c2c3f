//! What a text that is not JSON probably is.

use ecs_registry_auth::Origin;

use crate::Problem;
use crate::document::Document;
use crate::shape::DESCRIBE;

/// Why the text could not be read. Never shows any of it.
pub(crate) fn explain(document: &Document<'_>, error: &serde_json::Error) -> Problem {
    let at_start = |message: &str, next_step: &str| Problem::new(document.line(1), message, next_step);
    let text = document.text();
    if text.trim().is_empty() {
        return Problem::new(document.origin().clone(), "the document is empty", DESCRIBE);
    }
    let lines = || {
        text.lines()
            .map(str::trim_end)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .take(50)
    };
    let first = lines().next().unwrap_or_default().trim_start();
    if !first.starts_with(['{', '[']) {
        if lines().any(|line| line.starts_with("AWSTemplateFormatVersion:") || line == "Resources:") {
            return at_start(
                "the document is a CloudFormation template in YAML, not JSON",
                "deploy it, and pass what `aws ecs describe-task-definition` prints of its task definition",
            );
        }
        if first.starts_with("---") || first.starts_with("- ") || lines().any(is_yaml_field) {
            return at_start(
                "the document is YAML, not JSON",
                "convert it to JSON; the AWS CLI prints JSON with `--output json`",
            );
        }
        if first.starts_with('<') {
            return at_start("the document is HTML or XML, not JSON", DESCRIBE);
        }
        if ["resource ", "module ", "locals ", "terraform "]
            .iter()
            .any(|word| first.starts_with(word))
        {
            return at_start("the document is Terraform code, not JSON", DESCRIBE);
        }
        return at_start("the document is not JSON", DESCRIBE);
    }
    let (line, column) = (error.line(), error.column());
    if error.is_eof() {
        return Problem::new(
            document.line(line),
            "the JSON ends before it is complete",
            "copy the whole document, up to its last bracket",
        );
    }
    let said = error.to_string();
    let what = said.split(" at line ").next().unwrap_or_default();
    let next_step = match character_at(text, line, column) {
        _ if what.starts_with("trailing characters") => {
            "pass one document, without text after its last bracket"
        }
        Some('}' | ']') => "remove the comma before the bracket, or add what is missing there",
        Some('\'') => "write double quotes: JSON has no single ones",
        Some('/' | '#') => "remove the comment: JSON has none",
        _ => "correct the JSON there; `python3 -m json.tool FILE` shows the same place",
    };
    Problem::new(
        document.line(line),
        format!("not JSON, column {column}: {what}"),
        next_step,
    )
}

/// Why bytes are not a text. `valid` is how many of them are.
pub(crate) fn not_utf8(bytes: &[u8], valid: usize, origin: &Origin) -> Problem {
    let document = Document::new("", origin);
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Problem::new(
            origin.clone(),
            "the document is UTF-16, not UTF-8",
            "save it as UTF-8; in Windows PowerShell use `| Out-File -Encoding utf8` and not `>`",
        );
    }
    let line = 1 + bytes[..valid].iter().filter(|byte| **byte == b'\n').count();
    Problem::new(
        document.line(line),
        "the document is not UTF-8",
        "save it as UTF-8",
    )
}

/// `column` counts bytes from 1, as serde_json does.
fn character_at(text: &str, line: usize, column: usize) -> Option<char> {
    let line = text.split('\n').nth(line.checked_sub(1)?)?;
    line.get(column.checked_sub(1)?..)?.chars().next()
}

/// `key:` or `key: value`, the key being a plain word.
fn is_yaml_field(line: &str) -> bool {
    line.trim_start_matches([' ', '-'])
        .split_once(':')
        .is_some_and(|(key, value)| {
            !key.is_empty()
                && key
                    .chars()
                    .all(|character| character.is_alphanumeric() || "_-".contains(character))
                && (value.is_empty() || value.starts_with(' '))
        })
}

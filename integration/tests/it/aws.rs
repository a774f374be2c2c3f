//! AWS checks signatures and rights, keeps regions apart, and lets a role be assumed across accounts.

use anyhow::{Context, Result};
use aws_sdk_secretsmanager::config::http::HttpResponse;
use aws_sdk_secretsmanager::error::SdkError;
use integration::{Account, Aws, Keys};
use serde_json::json;

struct Seeded {
    aws: Aws,
    owner: Account,
    operator: Keys,
    role: String,
    secret: String,
}

async fn seeded(actions_of_role: &[&str]) -> Result<Seeded> {
    let aws = Aws::start().await?;
    let owner = aws.account("222222222222").await?;
    let task_account = aws.account("111111111111").await?;
    let operator = task_account.user("operator", &["sts:AssumeRole"]).await?;
    let trusted = json!({"AWS": "arn:aws:iam::111111111111:root"});
    let role = owner.role("task-execution", &trusted, actions_of_role).await?;
    let key = owner.key("eu-west-1").await?;
    let secret = owner
        .secret("eu-west-1", "registry/alice", "the value", Some(&key))
        .await?;
    aws.enforce().await?;
    Ok(Seeded {
        aws,
        owner,
        operator,
        role,
        secret,
    })
}

/// The secret as the role sees it, or the text of the refusal.
async fn read_as_role(seeded: &Seeded, operator: &Keys, region: &str) -> Result<Result<String, String>> {
    let sts = aws_sdk_sts::Client::new(&seeded.owner.configuration("us-east-1", operator));
    let assumed = sts
        .assume_role()
        .role_arn(&seeded.role)
        .role_session_name("test")
        .send()
        .await;
    let assumed = match assumed {
        Ok(assumed) => assumed,
        Err(error) => return refusal(error).map(Err),
    };
    let credentials = assumed.credentials().context("no credentials")?;
    let keys = Keys {
        access_key_id: credentials.access_key_id().to_owned(),
        secret_access_key: credentials.secret_access_key().to_owned(),
        session_token: Some(credentials.session_token().to_owned()),
    };
    let client = aws_sdk_secretsmanager::Client::new(&seeded.owner.configuration(region, &keys));
    match client.get_secret_value().secret_id(&seeded.secret).send().await {
        Ok(value) => Ok(Ok(value.secret_string().context("no text")?.to_owned())),
        Err(error) => refusal(error).map(Err),
    }
}

/// moto's refusals are XML of a form that the SDK finds no code in.
fn refusal<Error>(error: SdkError<Error, HttpResponse>) -> Result<String>
where
    SdkError<Error, HttpResponse>: std::error::Error + Send + Sync + 'static,
{
    match error.raw_response().and_then(|response| response.body().bytes()) {
        Some(body) => Ok(String::from_utf8_lossy(body).into_owned()),
        None => Err(error.into()),
    }
}

fn assert_refused(result: &Result<String, String>, code: &str) {
    assert!(
        result.as_ref().is_err_and(|text| text.contains(code)),
        "{code} was to be in {result:?}"
    );
}

#[tokio::test]
async fn a_role_of_another_account_reads_a_secret_in_another_region() -> Result<()> {
    let seeded = seeded(&["secretsmanager:GetSecretValue", "kms:Decrypt"]).await?;
    let before = seeded.aws.request_count();
    assert!(
        seeded
            .secret
            .starts_with("arn:aws:secretsmanager:eu-west-1:222222222222:secret:registry/alice-")
    );
    assert_eq!(
        read_as_role(&seeded, &seeded.operator, "eu-west-1").await?,
        Ok("the value".to_owned())
    );
    assert_eq!(
        seeded.aws.request_count() - before,
        2,
        "one AssumeRole and one GetSecretValue"
    );

    let elsewhere = read_as_role(&seeded, &seeded.operator, "us-east-1").await?;
    assert_refused(&elsewhere, "ResourceNotFoundException");
    Ok(())
}

#[tokio::test]
async fn a_missing_right_and_a_wrong_signature_are_refused() -> Result<()> {
    let seeded = seeded(&["kms:Decrypt"]).await?;
    let denied = read_as_role(&seeded, &seeded.operator, "eu-west-1").await?;
    assert_refused(&denied, "AccessDenied");

    let wrong = Keys {
        secret_access_key: "not-the-key".into(),
        ..seeded.operator.clone()
    };
    let denied = read_as_role(&seeded, &wrong, "eu-west-1").await?;
    assert_refused(&denied, "SignatureDoesNotMatch");

    let unknown = Keys {
        access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
        ..seeded.operator.clone()
    };
    let denied = read_as_role(&seeded, &unknown, "eu-west-1").await?;
    assert_refused(&denied, "InvalidClientTokenId");
    Ok(())
}

#[tokio::test]
async fn a_user_without_the_right_cannot_assume_the_role() -> Result<()> {
    let aws = Aws::start().await?;
    let owner = aws.account("222222222222").await?;
    let bystander = aws
        .account("111111111111")
        .await?
        .user("bystander", &["s3:GetObject"])
        .await?;
    let role = owner
        .role(
            "task-execution",
            &json!({"AWS": "*"}),
            &["secretsmanager:GetSecretValue"],
        )
        .await?;
    let secret = owner
        .secret("eu-west-1", "registry/alice", "the value", None)
        .await?;
    aws.enforce().await?;
    let seeded = Seeded {
        aws,
        owner,
        operator: bystander,
        role,
        secret,
    };
    let denied = read_as_role(&seeded, &seeded.operator, "eu-west-1").await?;
    assert_refused(&denied, "AccessDenied");
    Ok(())
}

#[tokio::test]
async fn the_owner_rotates_a_secret_while_the_checks_are_on() -> Result<()> {
    let seeded = seeded(&["secretsmanager:GetSecretValue"]).await?;
    seeded
        .owner
        .rotate("eu-west-1", &seeded.secret, "another value")
        .await?;
    assert_eq!(
        read_as_role(&seeded, &seeded.operator, "eu-west-1").await?,
        Ok("another value".to_owned())
    );
    Ok(())
}

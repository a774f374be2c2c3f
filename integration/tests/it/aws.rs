//! AWS checks signatures and rights, keeps regions apart, and lets a role be assumed across accounts.

use anyhow::{Context, Result};
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
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
    let secret = owner.secret("eu-west-1", "registry/alice", "the value", Some(&key)).await?;
    aws.enforce().await?;
    Ok(Seeded { aws, owner, operator, role, secret })
}

/// The secret as the role sees it, or the text of the refusal: moto's are XML, which the SDK has no code for.
async fn read_as_role(seeded: &Seeded, operator: &Keys, region: &str) -> Result<Result<String, String>> {
    let sts = aws_sdk_sts::Client::new(&seeded.owner.configuration("us-east-1", operator));
    let assumed = sts.assume_role().role_arn(&seeded.role).role_session_name("test").send().await;
    let assumed = match assumed {
        Ok(assumed) => assumed,
        Err(error) => return Ok(Err(error.code().unwrap_or("no code").to_owned())),
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
        Err(SdkError::ServiceError(error)) => {
            let body = error.raw().body().bytes().unwrap_or_default();
            Ok(Err(String::from_utf8_lossy(body).into_owned()))
        }
        Err(error) => Err(error.into()),
    }
}

#[tokio::test]
async fn a_role_of_another_account_reads_a_secret_in_another_region() -> Result<()> {
    let seeded = seeded(&["secretsmanager:GetSecretValue", "kms:Decrypt"]).await?;
    let before = seeded.aws.request_count();
    assert!(seeded.secret.starts_with("arn:aws:secretsmanager:eu-west-1:222222222222:secret:registry/alice-"));
    assert_eq!(read_as_role(&seeded, &seeded.operator, "eu-west-1").await?, Ok("the value".to_owned()));
    assert_eq!(seeded.aws.request_count() - before, 2, "one AssumeRole and one GetSecretValue");

    let elsewhere = read_as_role(&seeded, &seeded.operator, "us-east-1").await?;
    assert!(elsewhere.as_ref().is_err_and(|text| text.contains("ResourceNotFoundException")), "{elsewhere:?}");
    Ok(())
}

#[tokio::test]
async fn a_missing_right_and_a_wrong_signature_are_refused() -> Result<()> {
    let seeded = seeded(&["kms:Decrypt"]).await?;
    let denied = read_as_role(&seeded, &seeded.operator, "eu-west-1").await?;
    assert!(denied.as_ref().is_err_and(|text| text.contains("AccessDenied")), "{denied:?}");

    let wrong = Keys { secret_access_key: "not-the-key".into(), ..seeded.operator.clone() };
    let denied = read_as_role(&seeded, &wrong, "eu-west-1").await?;
    assert_eq!(denied, Err("SignatureDoesNotMatch".to_owned()));

    let unknown = Keys { access_key_id: "AKIAIOSFODNN7EXAMPLE".into(), ..seeded.operator.clone() };
    let denied = read_as_role(&seeded, &unknown, "eu-west-1").await?;
    assert_eq!(denied, Err("InvalidClientTokenId".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_user_without_the_right_cannot_assume_the_role() -> Result<()> {
    let aws = Aws::start().await?;
    let owner = aws.account("222222222222").await?;
    let bystander = aws.account("111111111111").await?.user("bystander", &["s3:GetObject"]).await?;
    let role = owner.role("task-execution", &json!({"AWS": "*"}), &["secretsmanager:GetSecretValue"]).await?;
    let secret = owner.secret("eu-west-1", "registry/alice", "the value", None).await?;
    aws.enforce().await?;
    let seeded = Seeded { aws, owner, operator: bystander, role, secret };
    let denied = read_as_role(&seeded, &seeded.operator, "eu-west-1").await?;
    assert_eq!(denied, Err("AccessDenied".to_owned()));
    Ok(())
}

#[tokio::test]
async fn the_owner_rotates_a_secret_while_the_checks_are_on() -> Result<()> {
    let seeded = seeded(&["secretsmanager:GetSecretValue"]).await?;
    seeded.owner.rotate("eu-west-1", &seeded.secret, "another value").await?;
    assert_eq!(read_as_role(&seeded, &seeded.operator, "eu-west-1").await?, Ok("another value".to_owned()));
    Ok(())
}

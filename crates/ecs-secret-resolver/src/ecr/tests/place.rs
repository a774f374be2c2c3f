//! From where tokens come and where they may go.

use ecs_registry_auth::{ErrorClass, ErrorName, Origin, Registry};

use super::*;

#[tokio::test]
async fn a_token_is_the_credential_of_its_registry() {
    let server = MockServer::start().await;
    serve(&server, "AWS:pass:word", 1).await;
    let keychain = tokens(&server).keychain(
        request()
            .with_container("web")
            .with_origin(Origin::file_line("task.json", 7)),
    );
    let resolved = resolve(&keychain).await.unwrap();
    assert_eq!(resolved.credential.username.as_deref(), Some("AWS"));
    assert_eq!(password(&resolved), "pass:word");
    assert_eq!(
        shown(&resolved),
        json!({
            "source": "ecr", "registry": "111111111111.dkr.ecr.eu-west-1.amazonaws.com", "origin": "task.json:7",
            "username": "AWS", "region": "eu-west-1", "role": ROLE,
        })
    );
}

#[tokio::test]
async fn every_host_of_the_registry_may_have_its_token() {
    let server = MockServer::start().await;
    serve(&server, "AWS:p", 1).await;
    // The API's own endpoint decides: FIPS with an override would be refused, so it is not among these.
    let keychain = tokens(&server).keychain(request());
    for name in [IMAGE, "111111111111.dkr.ecr.eu-west-1.amazonaws.com:443/other"] {
        let image = image(name);
        let resolved = keychain.resolve(&image).await.unwrap().unwrap();
        assert_eq!(resolved.provenance.registry, *image.registry());
    }
    assert_eq!(calls(&server).await, 1);

    serve(&server, "AWS:p", 1).await;
    let dual_stack = image("111111111111.dkr-ecr.eu-west-1.on.aws/team/app");
    assert!(keychain.resolve(&dual_stack).await.unwrap().is_some());
}

#[tokio::test]
async fn no_other_host_gets_a_token_and_nobody_is_asked_for_one() {
    let server = MockServer::start().await;
    let private = request()
        .with_container("web")
        .with_origin(Origin::file_line("task.json", 7));
    let public = EcrRequest::public(identity());
    for (request, name, whose) in [
        (
            &private,
            "222222222222.dkr.ecr.eu-west-1.amazonaws.com/app",
            "registry 111111111111 in eu-west-1",
        ),
        (
            &private,
            "111111111111.dkr.ecr.us-east-1.amazonaws.com/app",
            "registry 111111111111 in eu-west-1",
        ),
        (
            &private,
            "111111111111.dkr.ecr.eu-west-1.amazonaws.com.example.com/app",
            "(task.json:7)",
        ),
        (
            &private,
            "111111111111.dkr.ecr.eu-west-1.amazonaws.com.cn/app",
            "container \"web\": ",
        ),
        (
            &private,
            "111111111111.dkr.ecr.eu-west-1.amazonaws.com:5000/app",
            "is not sent there",
        ),
        (&private, "registry.example.com/app", "is not sent there"),
        (&private, "public.ecr.aws/nginx", "is not sent there"),
        (&public, IMAGE, "Amazon ECR Public"),
    ] {
        let image = image(name);
        let keychain = tokens(&server).keychain(request.clone());
        let error = keychain.resolve(&image).await.unwrap_err();
        assert_eq!(error.name(), ErrorName::CannotPullEcrContainer, "{name}");
        assert_eq!(error.class(), ErrorClass::Configuration, "{name}");
        assert!(error.message().contains(whose), "{name}: {error}");
        assert!(
            error.message().contains(image.registry().as_str()),
            "{name}: {error}"
        );
        assert!(
            error.next_step().is_some_and(|step| step.contains("ecr")),
            "{name}"
        );
        let candidate = &keychain.candidates(&image)[0];
        assert!(
            !candidate.chosen && candidate.reason.contains("is not sent to"),
            "{name}"
        );
    }
    assert_eq!(calls(&server).await, 0);
}

#[tokio::test]
async fn the_candidate_says_whose_token_with_whose_permissions() {
    let server = MockServer::start().await;
    let keychain = tokens(&server).keychain(request());
    let candidate = &keychain.candidates(&image(IMAGE))[0];
    assert!(candidate.chosen);
    assert_eq!(
        candidate.reason,
        format!("a token of Amazon ECR registry 111111111111 in eu-west-1, fetched with role {ROLE}")
    );
    assert_eq!(calls(&server).await, 0);
}

#[tokio::test]
async fn amazon_ecr_public_has_an_api_of_its_own() {
    let server = MockServer::start().await;
    Mock::given(header("x-amz-target", PUBLIC_CALL))
        .respond_with(
            ResponseTemplate::new(200).set_body_json(json!({"authorizationData": {
                "authorizationToken": STANDARD.encode("AWS:public"), "expiresAt": 4_000_000_000_u64,
            }})),
        )
        .expect(1)
        .mount(&server)
        .await;
    let keychain = tokens(&server).keychain(EcrRequest::public(identity()));
    let image = image("public.ecr.aws/docker/library/nginx");
    let resolved = keychain.resolve(&image).await.unwrap().unwrap();
    assert_eq!(password(&resolved), "public");
    assert_eq!(
        resolved.provenance.registry,
        Registry::from_host("public.ecr.aws")
    );
    assert_eq!(resolved.provenance.region.as_deref(), Some("us-east-1"));
    let sent = &server.received_requests().await.unwrap()[0];
    let signature = sent.headers["authorization"].to_str().unwrap();
    assert!(
        signature.contains("/us-east-1/ecr-public/aws4_request"),
        "{signature}"
    );
}

#[tokio::test]
async fn the_call_is_signed_for_the_registrys_region_with_the_identitys_keys() {
    let server = MockServer::start().await;
    serve(&server, "AWS:p", 1).await;
    let name = "222222222222.dkr.ecr.ap-south-1.amazonaws.com/app";
    let request = EcrRequest::for_image(&image(name), identity()).unwrap();
    let keychain = tokens(&server).keychain(request);
    keychain.resolve(&image(name)).await.unwrap();
    let sent = &server.received_requests().await.unwrap()[0];
    let signature = sent.headers["authorization"].to_str().unwrap();
    assert!(signature.contains("Credential=AKIDEXAMPLE/"), "{signature}");
    assert!(signature.contains("/ap-south-1/ecr/aws4_request"), "{signature}");
}

#[tokio::test]
async fn an_override_of_the_payload_is_used_instead_of_the_configured_endpoint() {
    let (server, configured) = (MockServer::start().await, MockServer::start().await);
    serve(&server, "AWS:p", 1).await;
    let keychain = tokens(&configured).keychain(request().with_endpoint_override(&server.uri()));
    resolve(&keychain).await.unwrap();
    assert_eq!(calls(&configured).await, 0);
}

#[tokio::test]
async fn fips_with_an_override_is_refused_with_the_fix() {
    let server = MockServer::start().await;
    let fips = image("111111111111.dkr.ecr-fips.us-east-1.amazonaws.com/app");
    let request = EcrRequest::for_image(&fips, identity()).unwrap();
    let elsewhere = AwsContext::new(AwsOptions::default().with_region("us-east-1"));
    for (tokens, request, part) in [
        (
            tokens(&server),
            request.clone(),
            "drop the endpoint override (AWS_ENDPOINT_URL",
        ),
        (
            EcrTokens::new(elsewhere),
            request
                .with_endpoint_override("vpce.example.com")
                .with_origin(Origin::file_line("payload.json", 9)),
            "drop the endpoint override https://vpce.example.com (payload.json:9)",
        ),
    ] {
        let error = tokens.keychain(request).resolve(&fips).await.unwrap_err();
        assert_eq!(error.name(), ErrorName::CannotPullEcrContainer);
        assert!(
            error
                .cause()
                .unwrap()
                .contains("FIPS and custom endpoint are not supported"),
            "{error:?}"
        );
        let step = error.next_step().unwrap();
        assert!(
            step.contains(part) && step.contains("without \"-fips\""),
            "{step}"
        );
    }
    assert_eq!(calls(&server).await, 0);
}

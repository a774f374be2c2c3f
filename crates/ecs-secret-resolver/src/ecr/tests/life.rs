//! How long tokens live.

use ecs_registry_auth::{CredentialSource, Provenance, RegistryCredential};
use futures_util::future::join_all;

use super::*;
use crate::CredentialsStore;

const MINUTE: Duration = Duration::from_secs(60);
const ALMOST_OVER: Duration = Duration::from_secs(12 * 3600 - 60);

#[tokio::test]
async fn who_asks_at_once_or_later_makes_one_call() {
    let server = MockServer::start().await;
    serve(&server, "AWS:one", 9).await;
    let tokens = tokens(&server);
    let keychains: Vec<_> = (0..200).map(|_| tokens.keychain(request())).collect();
    let resolved = join_all(keychains.iter().map(resolve)).await;
    assert!(
        resolved
            .iter()
            .all(|resolved| password(resolved.as_ref().unwrap()) == "one")
    );
    resolve(&tokens.clone().keychain(request())).await.unwrap();
    assert_eq!(calls(&server).await, 1);
}

#[tokio::test]
async fn identities_regions_and_registries_do_not_share_tokens() {
    let server = MockServer::start().await;
    serve(&server, "AWS:one", 9).await;
    let tokens = tokens(&server);
    let other_keys = Identity::ready(keys("AKIDOTHER"));
    for (name, identity) in [
        (IMAGE, identity()),
        (IMAGE, other_keys),
        ("111111111111.dkr.ecr.us-east-1.amazonaws.com/app", identity()),
        ("222222222222.dkr.ecr.eu-west-1.amazonaws.com/app", identity()),
    ] {
        let image = image(name);
        let request = EcrRequest::for_image(&image, identity).unwrap();
        tokens.keychain(request).resolve(&image).await.unwrap();
    }
    assert_eq!(calls(&server).await, 4);
}

#[tokio::test]
async fn a_token_is_replaced_early_and_only_once() {
    let server = MockServer::start().await;
    let clock = Clock::new();
    serve(&server, "AWS:one", 1).await;
    serve_answer(&server, answer("AWS:two", SystemTime::now() + 2 * LIFE), 9).await;
    let tokens = tokens_by(&clock, &server).await;
    let keychain = tokens.keychain(request());
    assert_eq!(password(&resolve(&keychain).await.unwrap()), "one");
    clock.turn(LIFE - 61 * MINUTE);
    assert_eq!(password(&resolve(&keychain).await.unwrap()), "one");
    clock.turn(32 * MINUTE);
    let resolved = join_all((0..20).map(|_| resolve(&keychain))).await;
    assert!(
        resolved
            .iter()
            .all(|resolved| password(resolved.as_ref().unwrap()) == "two")
    );
    assert_eq!(calls(&server).await, 2);
}

#[tokio::test]
async fn a_passing_failure_leaves_the_old_token_while_it_lasts() {
    let server = MockServer::start().await;
    let clock = Clock::new();
    serve(&server, "AWS:one", 1).await;
    serve_answer(&server, refusal(500, "ServerException", "busy"), 99).await;
    let tokens = tokens_by(&clock, &server).await;
    let keychain = tokens.keychain(request());
    resolve(&keychain).await.unwrap();
    clock.turn(ALMOST_OVER);
    assert_eq!(password(&resolve(&keychain).await.unwrap()), "one");
    clock.turn(2 * MINUTE);
    let error = resolve(&keychain).await.unwrap_err();
    assert!(
        error.is_retriable() && error.message().contains("ServerException"),
        "{error}"
    );
}

#[tokio::test]
async fn who_is_denied_a_new_token_loses_the_old_one() {
    let server = MockServer::start().await;
    let clock = Clock::new();
    serve(&server, "AWS:one", 1).await;
    serve_answer(&server, refusal(400, "AccessDeniedException", "no"), 99).await;
    let tokens = tokens_by(&clock, &server).await;
    let keychain = tokens.keychain(request());
    resolve(&keychain).await.unwrap();
    clock.turn(ALMOST_OVER);
    for calls_until_now in [2, 3] {
        assert!(!resolve(&keychain).await.unwrap_err().is_retriable());
        assert_eq!(
            calls(&server).await,
            calls_until_now,
            "a denial is final, and the old token is gone"
        );
    }
}

#[tokio::test]
async fn a_token_that_has_ended_by_this_clock_is_used_but_not_kept() {
    let server = MockServer::start().await;
    serve_answer(&server, answer("AWS:one", SystemTime::now() - MINUTE), 9).await;
    let keychain = tokens(&server).keychain(request());
    for _ in 0..2 {
        assert_eq!(password(&resolve(&keychain).await.unwrap()), "one");
    }
    assert_eq!(calls(&server).await, 2);
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_for_all_who_were_refused() {
    let server = MockServer::start().await;
    let clock = Clock::new();
    serve(&server, "AWS:one", 1).await;
    serve(&server, "AWS:two", 1).await;
    serve(&server, "AWS:three", 1).await;
    let tokens = tokens_by(&clock, &server).await;
    let keychain = tokens.keychain(request());
    let image = image(IMAGE);
    let first = resolve(&keychain).await.unwrap();
    let after = join_all((0..10).map(|_| keychain.resolve_after_refusal(&image, &first))).await;
    for second in after {
        let second = second.unwrap().unwrap();
        assert_eq!(password(&second), "two");
        assert_eq!(
            shown(&second)["notes"],
            json!(["the registry refused the token before this one"])
        );
    }
    let second = resolve(&keychain).await.unwrap();
    assert_eq!(password(&second), "two");
    assert!(
        keychain
            .resolve_after_refusal(&image, &second)
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(calls(&server).await, 2);
    // Later it may well be the token again.
    clock.turn(16 * MINUTE);
    let third = keychain
        .resolve_after_refusal(&image, &second)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(password(&third), "three");
}

#[tokio::test]
async fn no_token_is_fetched_for_a_refused_credential_of_another_source() {
    let server = MockServer::start().await;
    let keychain = tokens(&server).keychain(request());
    let image = image(IMAGE);
    let refused = ResolvedCredential::new(
        RegistryCredential::basic("alice", "hunter2"),
        Provenance::new(CredentialSource::EngineAuth, image.registry().clone()),
    );
    let answer = keychain.resolve_after_refusal(&image, &refused).await.unwrap();
    assert!(answer.is_none());
    assert_eq!(calls(&server).await, 0);
}

#[tokio::test]
async fn keys_that_aws_calls_expired_are_renewed_once() {
    let server = MockServer::start().await;
    let store = CredentialsStore::default();
    store.put("id", keys("AKIDOLD"));
    let expired = refusal(
        400,
        "ExpiredTokenException",
        "The security token included in the request is expired",
    );
    serve_answer(&server, expired, 1).await;
    serve(&server, "AWS:new", 1).await;
    let stored = Identity::stored(&store, "id");
    let keychain = tokens(&server).keychain(EcrRequest::for_image(&image(IMAGE), stored).unwrap());
    let agent = async {
        while calls(&server).await == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        store.put("id", keys("AKIDNEW"));
    };
    let (resolved, ()) = tokio::join!(resolve(&keychain), agent);
    assert_eq!(password(&resolved.unwrap()), "new");
    let signers: Vec<bool> = server
        .received_requests()
        .await
        .unwrap()
        .iter()
        .map(|sent| {
            sent.headers["authorization"]
                .to_str()
                .unwrap()
                .contains("AKIDNEW")
        })
        .collect();
    assert_eq!(signers, [false, true]);
}

#[tokio::test]
async fn new_keys_of_a_credentials_id_do_not_get_the_old_keys_token() {
    let server = MockServer::start().await;
    let store = CredentialsStore::default();
    serve(&server, "AWS:one", 1).await;
    serve(&server, "AWS:two", 1).await;
    let tokens = tokens(&server);
    let stored = || EcrRequest::for_image(&image(IMAGE), Identity::stored(&store, "id")).unwrap();
    for (access_key_id, expected) in [("AKIDONE", "one"), ("AKIDTWO", "two")] {
        store.put("id", keys(access_key_id));
        let resolved = resolve(&tokens.keychain(stored())).await.unwrap();
        assert_eq!(password(&resolved), expected);
    }
}

#[tokio::test]
async fn throttling_is_tried_again() {
    let server = MockServer::start().await;
    serve_answer(&server, refusal(400, "ThrottlingException", "Rate exceeded"), 1).await;
    serve(&server, "AWS:one", 1).await;
    let resolved = resolve(&tokens(&server).keychain(request())).await.unwrap();
    assert_eq!(password(&resolved), "one");
    assert_eq!(calls(&server).await, 2);
}

#[tokio::test]
async fn who_stops_waiting_does_not_stop_the_others() {
    let server = MockServer::start().await;
    let slow = answer("AWS:one", SystemTime::now() + LIFE).set_delay(Duration::from_millis(300));
    serve_answer(&server, slow, 9).await;
    let keychain = tokens(&server).keychain(request());
    let (given_up, resolved) = tokio::join!(
        tokio::time::timeout(Duration::from_millis(100), resolve(&keychain)),
        resolve(&keychain)
    );
    assert!(given_up.is_err());
    assert_eq!(password(&resolved.unwrap()), "one");
}

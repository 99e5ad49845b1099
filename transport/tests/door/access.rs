//! Who may come in.

use seedbed_transport::door::{Door, DoorError, Settings, Token};

use crate::bed::{Bed, Puppet, TOKEN};

/// A door that other machines can reach; it listens on all addresses, so on loopback, too.
async fn open_to_the_world() -> Bed {
    Bed::with(Puppet::default(), |settings| settings.listen = "0.0.0.0:0".parse().unwrap()).await
}

#[tokio::test]
async fn on_loopback_everybody_may_read() {
    let bed = Bed::new().await;
    for path in ["/", "/healthz", "/readyz", "/metrics", "/api/v1/status", "/api/v1/events?follow=false"] {
        assert_eq!(bed.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn whatever_changes_state_needs_the_token() {
    let bed = Bed::with(Puppet { takes_faults: true, ..Puppet::default() }, |_| {}).await;
    let wrong = [
        String::new(),
        "Authorization: Bearer sesame-sesame-sesamf\r\n".into(),
        format!("Authorization: Basic {TOKEN}\r\n"),
        format!("Authorization: {TOKEN}\r\n"),
        format!("Authorization: Bearer {}\r\n", &TOKEN[1..]),
        format!("Authorization: Bearer {TOKEN}x\r\n"),
        format!("Authorization: Bearer {TOKEN}\r\nAuthorization: Bearer {TOKEN}\r\n"),
        format!("Cookie: {TOKEN}\r\n"),
    ];
    for path in ["/api/v1/commands", "/api/v1/faults"] {
        for headers in &wrong {
            let answer = bed.post_with(path, headers, "{}").await;
            assert_eq!(
                (answer.status, answer.header("www-authenticate")),
                (401, Some("Bearer")),
                "{headers}"
            );
            assert!(answer.detail().contains("Authorization: Bearer TOKEN"));
        }
        assert_ne!(bed.post(path, "{}").await.status, 401);
        let lowercase = format!("authorization: bearer {TOKEN}\r\n");
        assert_ne!(bed.post_with(path, &lowercase, "{}").await.status, 401);
    }
}

#[tokio::test]
async fn without_a_token_nobody_may_change_anything() {
    let bed = Bed::with(Puppet::default(), |settings| settings.token = None).await;
    let answer = bed.post("/api/v1/commands", "\"Hi\"").await;
    assert_eq!(answer.status, 403);
    assert!(answer.detail().contains("token file"));
}

#[tokio::test]
async fn elsewhere_reads_need_the_token_too() {
    let bed = open_to_the_world().await;
    for path in ["/", "/healthz", "/readyz"] {
        assert_eq!(bed.get(path).await.status, 200, "{path}");
    }
    for path in ["/metrics", "/api/v1/status", "/api/v1/events"] {
        assert_eq!(bed.get(path).await.status, 401, "{path}");
    }
    let shown =
        format!("GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
    assert_eq!(bed.send(shown).await.status, 200);
}

#[tokio::test]
async fn a_door_to_the_world_without_a_token_does_not_open() {
    let settings = Settings::new("0.0.0.0:0".parse().unwrap());
    let error = Door::open(settings, std::sync::Arc::new(Puppet::default())).await.unwrap_err();
    assert!(matches!(error, DoorError::Open { .. }));
    assert!(error.to_string().contains("listen at 127.0.0.1"));
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let bed = Bed::new().await;
    let settings = Settings::new(bed.door.address());
    let error = Door::open(settings, std::sync::Arc::new(Puppet::default())).await.unwrap_err();
    assert!(error.to_string().contains(&bed.door.address().to_string()), "{error}");
}

#[tokio::test]
async fn requests_must_be_addressed_to_the_door() {
    let bed = Bed::with(Puppet::default(), |settings| settings.names.push("node.example".into())).await;
    for (host, status) in [
        ("Host: localhost", 200),
        ("Host: LOCALHOST:80", 200),
        ("Host: 127.0.0.1:7200", 200),
        ("Host: [::1]:7200", 200),
        ("Host: Node.example", 200),
        ("Host: attacker.example", 421),
        ("Host: localhost.attacker.example", 421),
        ("Host: 127.0.0.1.attacker.example", 421),
        ("Host: user@127.0.0.1", 400),
        ("Host: local host", 400),
        ("Host: ", 400),
        ("Host: localhost\r\nHost: localhost", 400),
        ("X-Host: localhost", 400),
    ] {
        let answer = bed.send(format!("GET /healthz HTTP/1.1\r\n{host}\r\n\r\n")).await;
        assert_eq!(answer.status, status, "{host}: {answer:?}");
    }
    let request = "GET http://attacker.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(bed.send(request).await.status, 421);
}

#[tokio::test]
async fn other_pages_are_not_let_in_by_browsers() {
    let bed = Bed::new().await;
    let request = "GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nOrigin: http://attacker.example\r\n\r\n";
    let answer = bed.send(request).await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(bed.get("/").await.header("content-security-policy").unwrap().contains("default-src 'none'"));
}

#[test]
fn a_token_is_long_printable_and_never_shown() {
    for short in ["", "sesame", "fifteen letters", "with spaces inside it", "no\u{0}nul-here-please"] {
        assert!(Token::new(short).is_none(), "{short}");
    }
    let token = Token::new(&format!(" {TOKEN}\n")).unwrap();
    assert!(!format!("{token:?}").contains("sesame"));
}

//! `peers_plain ADDRESS`: the plainest handler of axum, which answers every request with the same document. What is faster than
//! this does less than HTTP.

use axum::Router;
use axum::http::header;
use axum::routing::get;
use tokio::net::TcpListener;

const DOCUMENT: &str = r#"{"_id":"019a0000-0000-7000-8000-000000000000","active":true,"age":0,"email":"person00000000@example.org","name":"Person number 00000000","place":{"city":"Pisa","street":"Via Roma 0"},"score":0.25,"tags":["red","green"]}"#;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let router = Router::new()
        .route("/load/{id}", get(async || ([(header::CONTENT_TYPE, "application/json")], DOCUMENT)));
    let listener = TcpListener::bind(address).await?;
    println!("{}", listener.local_addr()?);
    axum::serve(axum::serve::ListenerExt::tap_io(listener, |stream| drop(stream.set_nodelay(true))), router)
        .await
}

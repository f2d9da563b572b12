//! What there is to ask, as OpenAPI 3.1: operations as `operations` lists them, bodies as their
//! types are.

mod operation;
mod operations;
mod parameter;

use crate::error::Problem;
use operation::{REFUSAL, json};
use std::collections::BTreeMap;
use utoipa::ToSchema as _;
use utoipa::openapi::path::Paths;
use utoipa::openapi::schema::Ref;
use utoipa::openapi::{
    Components, Content, InfoBuilder, OpenApi, OpenApiBuilder, RefOr, ResponseBuilder,
};

/// The whole document; the specification's own requests are on `own_paths`.
pub(crate) fn document(own_paths: &[String]) -> OpenApi {
    let mut schemas = Vec::new();
    // For what operations refer to it by.
    json::<Problem<'_>>(&mut schemas);
    let mut paths = Paths::new();
    for operation in operations::resources(&mut schemas) {
        let method = || operation.method.clone();
        if let Some(rest) = operation.path.strip_prefix("/v1/") {
            let path = format!("/v1/namespaces/{{namespace}}/{rest}");
            paths.add_path_operation(path, vec![method()], operation.described(true));
        }
        paths.add_path_operation(operation.path, vec![method()], operation.described(false));
    }
    for path in own_paths {
        for operation in operations::of_the_specification() {
            let mut described = operation.described(false);
            // An operation's name is of one path only.
            let id = described.operation_id.take().unwrap_or_default();
            described.operation_id = Some(format!("{id}{}", path.replace('/', "_")));
            paths.add_path_operation(path, vec![operation.method], described);
        }
    }
    let problem = Content::new(Some(Ref::from_schema_name(Problem::name())));
    let refused = ResponseBuilder::new()
        .description("It is refused, and nothing was done")
        .content("application/problem+json", problem);
    let mut components = Components::new();
    let schemas: BTreeMap<_, _> = schemas.into_iter().collect();
    components.schemas.extend(schemas);
    let refused = RefOr::T(refused.build());
    components.responses.insert(REFUSAL.to_owned(), refused);
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Gantry: OpenMessaging over HTTP")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(
                    "Messages of the log that Kafka, RocketMQ and AMQP clients share.",
                ))
                .build(),
        )
        .paths(paths)
        .components(Some(components))
        .build()
}

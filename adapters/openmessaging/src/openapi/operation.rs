//! One operation: what it takes and how it may be answered.

use super::parameter::Parameter;
use axum::http::StatusCode;
use utoipa::ToSchema;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Ref, Schema, SchemaType, Type};
use utoipa::openapi::{Content, Header, RefOr, Required, ResponseBuilder};

/// The component that every refusal is.
pub(super) const REFUSAL: &str = "Refused";
/// What may happen to every request of a resource.
const REFUSALS: &[u16] = &[400, 404, 408, 413, 429, 500, 503];

/// What a body is.
#[derive(Clone)]
pub(super) enum Body {
    /// JSON of a schema of that name.
    Json(String),
    /// Anything, of some media type.
    Raw(&'static str),
    /// CloudEvents, an array of them.
    Events(&'static str),
}

/// An answer to a request that is done.
#[derive(Clone)]
struct Answer {
    status: u16,
    what: &'static str,
    bodies: Vec<Body>,
    fields: Vec<Parameter>,
}

/// An operation of a path.
#[derive(Clone)]
pub(super) struct Operation {
    pub(super) method: HttpMethod,
    pub(super) path: &'static str,
    id: &'static str,
    what: &'static str,
    parameters: Vec<Parameter>,
    bodies: Vec<Body>,
    is_body_required: bool,
    answers: Vec<Answer>,
    refusals: Vec<u16>,
}

/// Schemas by name, as the types that operations name have them.
pub(super) type Schemas = Vec<(String, RefOr<Schema>)>;

/// JSON of a type, which is noted among the schemas.
pub(super) fn json<T: ToSchema>(schemas: &mut Schemas) -> Body {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
    Body::Json(T::name().into_owned())
}

impl Operation {
    pub(super) fn new(
        method: HttpMethod,
        path: &'static str,
        id: &'static str,
        what: &'static str,
    ) -> Self {
        Self {
            method,
            path,
            id,
            what,
            parameters: Vec::new(),
            bodies: Vec::new(),
            is_body_required: true,
            answers: Vec::new(),
            refusals: Vec::new(),
        }
    }

    pub(super) fn takes(mut self, parameters: &[Parameter]) -> Self {
        self.parameters.extend_from_slice(parameters);
        self
    }

    pub(super) fn body(mut self, body: Body) -> Self {
        self.bodies.push(body);
        self
    }

    pub(super) fn optional_body(mut self, body: Body) -> Self {
        self.is_body_required = false;
        self.body(body)
    }

    /// It may be answered without a body.
    pub(super) fn done(self, status: StatusCode, what: &'static str) -> Self {
        self.with(status, what, Vec::new())
    }

    /// It may be answered with one of these.
    pub(super) fn with(
        mut self,
        status: StatusCode,
        what: &'static str,
        bodies: Vec<Body>,
    ) -> Self {
        self.answers.push(Answer {
            status: status.as_u16(),
            what,
            bodies,
            fields: Vec::new(),
        });
        self
    }

    /// The last answer has these header fields.
    pub(super) fn says(mut self, fields: &[Parameter]) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.fields.extend_from_slice(fields);
        }
        self
    }

    /// It may be refused for reasons of its own.
    pub(super) fn refuses(mut self, statuses: &[StatusCode]) -> Self {
        self.refusals
            .extend(statuses.iter().map(StatusCode::as_u16));
        self
    }

    /// As the document has it; `namespaced` is that of a path with a namespace.
    pub(super) fn described(&self, namespaced: bool) -> utoipa::openapi::path::Operation {
        let id = if namespaced {
            format!("{}InNamespace", self.id)
        } else {
            self.id.to_owned()
        };
        let mut operation = OperationBuilder::new()
            .operation_id(Some(id))
            .summary(Some(self.what))
            .tag(self.noun());
        if namespaced {
            let parameter = Parameter::path("namespace", "The namespace");
            operation = operation.parameter(parameter.described());
        }
        if self.path.contains("{name}") {
            let parameter = Parameter::path("name", self.named());
            operation = operation.parameter(parameter.described());
        }
        for parameter in &self.parameters {
            operation = operation.parameter(parameter.described());
        }
        if !self.bodies.is_empty() {
            let mut body = RequestBodyBuilder::new().required(Some(if self.is_body_required {
                Required::True
            } else {
                Required::False
            }));
            for (kind, content) in self.bodies.iter().map(Body::content) {
                body = body.content(kind, content);
            }
            operation = operation.request_body(Some(body.build()));
        }
        for answer in &self.answers {
            operation = operation.response(answer.status.to_string(), answer.described());
        }
        let common = self.path.starts_with("/v1").then_some(REFUSALS);
        for status in self.refusals.iter().chain(common.unwrap_or_default()) {
            let refusal = Ref::new(format!("#/components/responses/{REFUSAL}"));
            operation = operation.response(status.to_string(), RefOr::Ref(refusal));
        }
        operation.build()
    }

    /// What it is about: the first name of its path.
    fn noun(&self) -> &'static str {
        let rest = self.path.trim_start_matches("/v1/");
        let name = rest.split(['/', ':']).next().unwrap_or_default();
        match name {
            "" | "oms" => "specification",
            "healthz" | "readyz" => "health",
            name => name,
        }
    }

    /// What `{name}` is.
    fn named(&self) -> &'static str {
        match self.noun() {
            "destinations" => "The destination: a topic",
            "subscriptions" => "The consumer: a group",
            _ => "The handle",
        }
    }
}

impl Answer {
    fn described(&self) -> utoipa::openapi::Response {
        let mut response = ResponseBuilder::new().description(self.what);
        for (kind, content) in self.bodies.iter().map(Body::content) {
            response = response.content(kind, content);
        }
        let status = Header::new(ObjectBuilder::new().schema_type(Type::Integer));
        response = response.header("x-oms-status", status);
        for field in &self.fields {
            response = response.header(field.name, Header::new(field.schema()));
        }
        response.build()
    }
}

impl Body {
    pub(super) fn content(&self) -> (&'static str, Content) {
        match self {
            Self::Json(name) => {
                let schema = Ref::from_schema_name(name.as_str());
                ("application/json", Content::new(Some(schema)))
            }
            Self::Events(kind) => {
                let event = ObjectBuilder::new().schema_type(Type::Object);
                (kind, Content::new(Some(ArrayBuilder::new().items(event))))
            }
            Self::Raw(kind) => {
                let any = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
                (kind, Content::new(Some(any)))
            }
        }
    }
}

impl Parameter {
    fn described(&self) -> utoipa::openapi::path::Parameter {
        let is_required = self.is_required || self.place == ParameterIn::Path;
        utoipa::openapi::path::ParameterBuilder::new()
            .name(self.name)
            .parameter_in(self.place.clone())
            .required(if is_required {
                Required::True
            } else {
                Required::False
            })
            .description(Some(self.what))
            .schema(Some(self.schema()))
            .build()
    }
}

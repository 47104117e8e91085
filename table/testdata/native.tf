resource "aws_dynamodb_table" "table" {
  name             = "cup"
  billing_mode     = "PAY_PER_REQUEST"
  hash_key         = "pk"
  range_key        = "sk"
  stream_enabled   = true
  stream_view_type = "NEW_AND_OLD_IMAGES"

  attribute {
    name = "cup"
    type = "S"
  }

  attribute {
    name = "day"
    type = "N"
  }

  attribute {
    name = "discriminator"
    type = "S"
  }

  attribute {
    name = "note"
    type = "S"
  }

  attribute {
    name = "odds"
    type = "N"
  }

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "region"
    type = "S"
  }

  attribute {
    name = "round"
    type = "N"
  }

  attribute {
    name = "sk"
    type = "S"
  }

  global_secondary_index {
    name            = "gsi1"
    hash_key        = "discriminator"
    range_key       = "pk"
    projection_type = "ALL"
  }

  global_secondary_index {
    name            = "byRound"

    key_schema {
      attribute_name = "discriminator"
      key_type       = "HASH"
    }

    key_schema {
      attribute_name = "cup"
      key_type       = "HASH"
    }

    key_schema {
      attribute_name = "region"
      key_type       = "HASH"
    }

    key_schema {
      attribute_name = "round"
      key_type       = "RANGE"
    }

    key_schema {
      attribute_name = "odds"
      key_type       = "RANGE"
    }

    key_schema {
      attribute_name = "day"
      key_type       = "RANGE"
    }

    key_schema {
      attribute_name = "note"
      key_type       = "RANGE"
    }

    projection_type = "ALL"
  }

  global_secondary_index {
    name            = "byCup"

    key_schema {
      attribute_name = "discriminator"
      key_type       = "HASH"
    }

    key_schema {
      attribute_name = "cup"
      key_type       = "HASH"
    }

    key_schema {
      attribute_name = "pk"
      key_type       = "RANGE"
    }

    key_schema {
      attribute_name = "sk"
      key_type       = "RANGE"
    }

    projection_type = "ALL"
  }

  ttl {
    attribute_name = "ttl"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = true
  }

  lifecycle {
    prevent_destroy = true
  }
}
